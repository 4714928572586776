/*
 * The configuration from a list of "key=value" and "key", as a command line or a file gives it.
 *
 * The parts end with NUL, as in argv, or, where the input has none, with LF. Whatever the text: an error is
 * one line fit to show and changes nothing, and a configuration that is found whole really is.
 */
#include "fuzz/check.h"

#include "ipc/config.h"
#include "ipc/text.h"

#include <string.h>

static void check_error(const char error[CONFIG_ERROR_SIZE])
{
    CHECK(memchr(error, '\0', CONFIG_ERROR_SIZE) != NULL && error[0] != '\0');
    for (const char *c = error; *c != '\0'; c++)
        CHECK(*c >= 0x20 && *c <= 0x7E);
}

/* One part, in memory of just its size. */
static void set_part(struct config *config, const uint8_t *part, size_t length)
{
    struct config before = *config;
    char error[CONFIG_ERROR_SIZE];
    char *key = malloc(length + 1);

    CHECK(key != NULL);
    memcpy(key, part, length);
    key[length] = '\0';
    char *equals = strchr(key, '=');
    if (equals != NULL)
        *equals = '\0';
    memset(error, '\n', sizeof(error));
    if (!config_set(config, key, equals != NULL ? equals + 1 : NULL, error)) {
        check_error(error);
        CHECK(memcmp(&before, config, sizeof(before)) == 0);
    }
    free(key);
}

static void check_listeners(const struct config *config)
{
    CHECK(config->listener_count >= 1 && config->listener_count <= CONFIG_LISTENERS_MAX);
    for (unsigned i = 0; i < config->listener_count; i++) {
        struct address back;
        char text[ADDRESS_TEXT_SIZE];
        CHECK(address_valid(&config->listeners[i]));
        CHECK(address_format(&config->listeners[i], text) == strlen(text));
        CHECK(address_parse(text, &back) == NULL && memcmp(&back, &config->listeners[i], sizeof(back)) == 0);
        for (unsigned j = 0; j < i; j++)
            CHECK(memcmp(&config->listeners[i], &config->listeners[j], sizeof(back)) != 0);
    }
}

/* What the parent relies on. */
static void check_whole(const struct config *config)
{
    CHECK(settings_valid(&config->worker) == NULL);
    CHECK(config->given_network + config->given_router == 1);
    CHECK(text_is_path(config->backend, sizeof(config->backend) - 1));
    const char *name = strrchr(config->backend, '/');
    CHECK(name != config->backend && strcmp(name, config->worker.backend) == 0);
    CHECK(text_is_path(config->state_path, sizeof(config->state_path) - 1));
    CHECK(config->pid_file[0] == '\0' || text_is_path(config->pid_file, sizeof(config->pid_file) - 1));
    CHECK(config->netns[0] == '\0' || text_is_path(config->netns, sizeof(config->netns) - 1) ||
          text_is_name(config->netns, sizeof(config->netns) - 1));
    CHECK(config->user[0] == '\0' || text_is_name(config->user, sizeof(config->user) - 1));
    CHECK(config->group[0] == '\0' || text_is_name(config->group, sizeof(config->group) - 1));
    CHECK(config->daemonize <= 1 && config->ovn <= 1);
    check_listeners(config);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config config;
    char error[CONFIG_ERROR_SIZE];
    const int end = size > 0 && memchr(data, '\0', size) != NULL ? '\0' : '\n';

    config_default(&config);
    while (size > 0) {
        const uint8_t *found = memchr(data, end, size);
        const size_t length = found != NULL ? (size_t)(found - data) : size;
        set_part(&config, data, length);
        data += length + (found != NULL);
        size -= length + (found != NULL);
    }
    memset(error, '\n', sizeof(error));
    if (config_finish(&config, error))
        check_whole(&config);
    else
        check_error(error);
    return 0;
}
