/*
 * A file of the host daemon, and what the reader makes of it.
 *
 * Whatever the text, the answer is one that the parent takes: a whole body without a mistake, or a mistake
 * without a body. A file that is taken keeps to the language: whole lines, no control bytes, no line too
 * long. Then one byte of the answer is changed, as a reader that somebody took over would: what the parent
 * takes of that must still be good in every part.
 */
#include "fuzz/check.h"

#include "ipc/text.h"
#include "unpriv/reader/host_keys.h"
#include "unpriv/reader/ini_file.h"

#include <string.h>

/* What the parent relies on. */
static void check_host(const struct host_config *host)
{
    CHECK(settings_valid(&host->common.worker) == NULL);
    CHECK(network_defaults_valid(&host->defaults) == NULL);
    CHECK(text_is_path(host->control_socket, sizeof(host->control_socket) - 1));
    CHECK(text_is_path(host->networks_directory, sizeof(host->networks_directory) - 1));
    CHECK(host->max_networks >= 1 && host->max_networks <= HOST_NETWORKS_MAX);
    CHECK(host->isolation == ISOLATION_NETWORK || (host->workers >= 1 && host->workers <= HOST_WORKERS_MAX));
    CHECK(host->common.netns[0] == '\0' && host->common.pid_file[0] == '\0' && host->common.given == 0);
    if (host->common.agent_host[0] == '\0')
        CHECK(text_is_path(host->common.backend, sizeof(host->common.backend) - 1));
}

static void check_network(const struct network_spec *spec)
{
    CHECK(network_valid(&spec->network) == NULL);
    CHECK(text_is_uuid(spec->network.uuid, strlen(spec->network.uuid)));
    CHECK(spec->listener_count >= 1 && spec->listener_count <= SPEC_LISTENERS_MAX);
    for (unsigned i = 0; i < spec->listener_count; i++)
        CHECK(address_valid(&spec->listeners[i]) && spec->listeners[i].port != 0);
    CHECK(text_is_path(spec->netns, sizeof(spec->netns) - 1) ||
          text_is_name(spec->netns, sizeof(spec->netns) - 1));
}

static void check_reading(const struct host_reading *reading, const struct host_request *request)
{
    CHECK(host_reading_valid(reading, request));
    CHECK((reading->ok == 1) == (reading->reason[0] == '\0'));
    if (reading->ok == 1 && request->kind == HOST_FILE_GLOBAL)
        check_host(&reading->body.host);
    if (reading->ok == 1 && request->kind == HOST_FILE_NETWORK)
        check_network(&reading->body.network);
}

static void check_language(const uint8_t *text, size_t size)
{
    size_t length = 0;

    CHECK(size == 0 || text[size - 1] == '\n');
    for (size_t i = 0; i < size; i++) {
        CHECK(text[i] >= ' ' || text[i] == '\t' || text[i] == '\n');
        CHECK(text[i] != 0x7F);
        length = text[i] == '\n' ? 0 : length + 1;
        CHECK(length <= INI_LINE_MAX);
    }
}

static void choose_defaults(unsigned choice, struct network_defaults *defaults)
{
    defaults->ovn = choice & 1;
    defaults->rate_shadow = choice >> 1 & 1;
    if (choice & 4)
        defaults->rate[0] = (struct rate_limit){.period_s = 60, .limit = 100};
    defaults->listener_count = 1;
    CHECK(address_parse("169.254.169.254:80", &defaults->listeners[0]) == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct host_reading reading;
    struct host_request request = {.version = HOST_READING_VERSION, .number = 1, .kind = HOST_FILE_GLOBAL};
    unsigned char *bytes = (unsigned char *)&reading;
    const unsigned high = take_control(data, &size), low = take_control(data, &size);
    const unsigned change = take_control(data, &size), choice = take_control(data, &size);
    char *text = malloc(size > 0 ? size : 1);

    CHECK(text != NULL);
    if (size > 0)
        memcpy(text, data, size);
    if (choice & 8) {
        request.kind = HOST_FILE_NETWORK;
        choose_defaults(choice, &request.defaults);
    }
    memset(&reading, '#', sizeof(reading));
    host_file_read(text, size, &request, &reading);
    free(text);
    check_reading(&reading, &request);
    if (reading.ok == 1)
        check_language(data, size);
    bytes[(high << 8 | low) % sizeof(reading)] ^= (unsigned char)change;
    if (host_reading_valid(&reading, &request))
        check_reading(&reading, &request);
    return 0;
}
