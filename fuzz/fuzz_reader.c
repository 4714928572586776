/*
 * A configuration file, and what the reader makes of it.
 *
 * Whatever the text, the reading is one that the parent takes: a whole configuration without a mistake, with
 * its instances, or a mistake without a configuration. Then one byte of the reading is changed, as a reader
 * that somebody took over would: what the parent takes of that must still be good in every part.
 */
#include "fuzz/check.h"

#include "ipc/instances.h"
#include "ipc/text.h"
#include "unpriv/reader/parse.h"

#include <string.h>

/* What the parent relies on. */
static void check_config(const struct config *config)
{
    CHECK(settings_valid(&config->worker) == NULL);
    CHECK(config->listener_count >= 1 && config->listener_count <= CONFIG_LISTENERS_MAX);
    for (unsigned i = 0; i < config->listener_count; i++)
        CHECK(address_valid(&config->listeners[i]) && config->listeners[i].port != 0);
    if (config->agent_host[0] != '\0') {
        CHECK(endpoint_host_check(config->agent_host) == NULL && config->agent_port != 0);
        CHECK(config->backend[0] == '\0');
    } else {
        CHECK(text_is_path(config->backend, sizeof(config->backend) - 1));
        CHECK(strcmp(strrchr(config->backend, '/'), config->worker.backend) == 0);
    }
    CHECK(network_valid(&config->network) == NULL);
    CHECK((config->network.identity == IDENTITY_INSTANCE) == (config->host_proxy == 1));
    CHECK(config->host_proxy == 1 || config->worker.max_instances == 0);
    CHECK(config->pid_file[0] == '\0' || text_is_path(config->pid_file, sizeof(config->pid_file) - 1));
    CHECK(config->user[0] == '\0' || text_is_name(config->user, sizeof(config->user) - 1));
    CHECK(config->group[0] == '\0' || text_is_name(config->group, sizeof(config->group) - 1));
    CHECK(config->netns[0] == '\0' && config->given == 0 && config->worker.log_target != LOG_TO_STDERR);
}

static void check_reading(const struct reading *reading)
{
    CHECK(reading_valid(reading));
    CHECK((reading->ok == 1) == (reading->reason[0] == '\0'));
    if (reading->ok == 1)
        check_config(&reading->config);
}

/* The parent's table takes them all. */
static void check_instances(const struct reading *reading)
{
    struct instance_batch batch;

    instances_begin(reading->instances);
    for (uint32_t first = 0; first < reading->instances; first += batch.count) {
        parse_batch(first, reading->instances, &batch);
        CHECK(instances_take(&batch));
    }
    CHECK(instances_whole());
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reading reading;
    unsigned char *bytes = (unsigned char *)&reading;
    const unsigned high = take_control(data, &size), low = take_control(data, &size);
    const unsigned change = take_control(data, &size);
    char *text = malloc(size > 0 ? size : 1);

    CHECK(text != NULL);
    if (size > 0)
        memcpy(text, data, size);
    memset(&reading, '#', sizeof(reading));
    parse_file(text, size, &reading);
    check_reading(&reading);
    check_instances(&reading);
    free(text);
    bytes[(high << 8 | low) % sizeof(reading)] ^= (unsigned char)change;
    if (reading_valid(&reading))
        check_reading(&reading);
    return 0;
}
