/*
 * What libevent could call and this program never does.
 *
 * libevent's utilities come as one object with its name look-ups, which would link the C library's resolver,
 * with its files and shared objects, into the confined executable. These take their places: they fail, and
 * hold nothing. Only the static executable needs them.
 */
#include <netdb.h>
#include <stddef.h>

int getaddrinfo(const char *restrict node, const char *restrict service,
                const struct addrinfo *restrict hints, struct addrinfo **restrict result)
{
    (void)node;
    (void)service;
    (void)hints;
    (void)result;
    return EAI_FAIL;
}

void freeaddrinfo(struct addrinfo *result)
{
    (void)result;
}

const char *gai_strerror(int error)
{
    (void)error;
    return "no name look-ups here";
}

struct servent *getservbyname(const char *name, const char *protocol)
{
    (void)name;
    (void)protocol;
    return NULL;
}

struct protoent *getprotobynumber(int number)
{
    (void)number;
    return NULL;
}
