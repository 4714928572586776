/*
 * Method names, in the order of enum http_method.
 */
#include "unpriv/http/method.h"

#include <string.h>

#define METHOD_SIZE 8

static const char names[HTTP_METHOD_COUNT][METHOD_SIZE] = {
    [HTTP_GET] = "GET",       [HTTP_HEAD] = "HEAD",       [HTTP_POST] = "POST",   [HTTP_PUT] = "PUT",
    [HTTP_DELETE] = "DELETE", [HTTP_OPTIONS] = "OPTIONS", [HTTP_PATCH] = "PATCH",
};

enum http_method http_method_find(const char *text, size_t length)
{
    if (length >= METHOD_SIZE)
        return HTTP_OTHER;
    for (unsigned method = 0; method < HTTP_METHOD_COUNT; method++)
        if (memcmp(text, names[method], length) == 0 && names[method][length] == '\0')
            return (enum http_method)method;
    return HTTP_OTHER;
}

const char *http_method_name(enum http_method method)
{
    return names[method];
}

bool http_method_is_barred(const char *text, size_t length)
{
    return (length == 7 && memcmp(text, "CONNECT", 7) == 0) || (length == 5 && memcmp(text, "TRACE", 5) == 0);
}
