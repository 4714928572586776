/*
 * One network's part of the configuration. See network.h.
 */
#include "ipc/network.h"

#include "ipc/text.h"

#include <string.h>

/* No padding: every byte of the structure has a name and is checked. */
_Static_assert(sizeof(struct network) ==
                   4 + sizeof(((struct network *)NULL)->rate) + NETWORK_UUID_SIZE + NETWORK_TAG_SIZE,
               "networks have no padding");

static bool in_range(uint32_t value, uint32_t least, uint32_t most)
{
    return value >= least && value <= most;
}

/* The first place that is not used ends the list. */
bool rates_valid(const struct rate_limit rate[NETWORK_RATES])
{
    bool ended = false;

    for (size_t i = 0; i < NETWORK_RATES; i++) {
        const bool unused = rate[i].period_s == 0 && rate[i].limit == 0;
        if (!unused && (ended || !in_range(rate[i].period_s, 1, RATE_PERIOD_MOST) ||
                        !in_range(rate[i].limit, 1, RATE_LIMIT_MOST)))
            return false;
        ended = unused;
    }
    return true;
}

bool log_tag_valid(const char *tag)
{
    size_t length = strnlen(tag, NETWORK_TAG_SIZE);

    if (length == 0 || length == NETWORK_TAG_SIZE)
        return false;
    for (size_t i = 0; i < length; i++) {
        if (tag[i] <= ' ' || tag[i] > '~' || tag[i] == ':' || tag[i] == '[')
            return false;
    }
    return true;
}

static bool uuid_valid(const struct network *network)
{
    const char *uuid = network->uuid;

    if (!text_stored_well(uuid, NETWORK_UUID_SIZE))
        return false;
    return network->identity == IDENTITY_INSTANCE ? uuid[0] == '\0' : text_is_uuid(uuid, strlen(uuid));
}

const char *network_word(const struct network *network)
{
    return network->identity == IDENTITY_INSTANCE ? "host" : network->uuid;
}

const char *network_valid(const struct network *network)
{
    if (network->identity == IDENTITY_NONE || network->identity >= IDENTITY_COUNT)
        return "identity";
    if (network->rate_shadow > 1 || (network->rate_shadow && network->rate[0].limit == 0))
        return "rate_shadow";
    if (network->reserved[0] != 0 || network->reserved[1] != 0)
        return "reserved";
    if (!rates_valid(network->rate))
        return "rate";
    if (!uuid_valid(network))
        return "uuid";
    if (!text_stored_well(network->log_tag, NETWORK_TAG_SIZE) ||
        (network->log_tag[0] != '\0' && !log_tag_valid(network->log_tag)))
        return "log_tag";
    return NULL;
}

void network_log_name(const struct network *network, bool to_syslog, char out[NETWORK_TAG_SIZE])
{
    memset(out, 0, NETWORK_TAG_SIZE);
    if (to_syslog && network->log_tag[0] != '\0') {
        text_append(out, NETWORK_TAG_SIZE, 0, network->log_tag);
        return;
    }
    size_t at = text_append(out, NETWORK_TAG_SIZE, 0, "metaward-");
    text_append(out, NETWORK_TAG_SIZE, at, network_word(network));
}

uint8_t identity_header_of(bool ovn, bool router)
{
    if (ovn)
        return router ? IDENTITY_OVN_ROUTER : IDENTITY_OVN_NETWORK;
    return router ? IDENTITY_NEUTRON_ROUTER : IDENTITY_NEUTRON_NETWORK;
}

const char *identity_header_name(uint8_t identity)
{
    static const char *const names[IDENTITY_COUNT] = {
        [IDENTITY_NEUTRON_NETWORK] = "X-Neutron-Network-ID",
        [IDENTITY_NEUTRON_ROUTER] = "X-Neutron-Router-ID",
        [IDENTITY_OVN_NETWORK] = "X-OVN-Network-ID",
        [IDENTITY_OVN_ROUTER] = "X-OVN-Router-ID",
    };

    return identity < IDENTITY_COUNT ? names[identity] : NULL;
}
