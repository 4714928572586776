/*
 * Not believing a network. See network_spec.h.
 */
#include "ipc/network_spec.h"

#include "ipc/text.h"

#include <string.h>

/* No padding: every byte of the structures has a name and is checked. */
_Static_assert(sizeof(struct network_spec) == sizeof(struct network) +
                                                  SPEC_LISTENERS_MAX * sizeof(struct address) + 4 +
                                                  CONFIG_PATH_SIZE,
               "a network has no padding");
_Static_assert(sizeof(struct network_defaults) == NETWORK_RATES * sizeof(struct rate_limit) +
                                                      SPEC_LISTENERS_MAX * sizeof(struct address) + 4,
               "defaults have no padding");

const char *network_spec_valid(const struct network_spec *spec)
{
    const char *wrong = network_valid(&spec->network);

    if (wrong != NULL)
        return wrong;
    if (!address_list_valid(spec->listeners, spec->listener_count, SPEC_LISTENERS_MAX))
        return "listeners";
    if (spec->reserved[0] != 0 || spec->reserved[1] != 0 || spec->reserved[2] != 0)
        return "reserved";
    if (!text_stored_path(spec->netns, CONFIG_PATH_SIZE) && !text_stored_name(spec->netns, CONFIG_PATH_SIZE))
        return "netns";
    return text_is_uuid(spec->network.uuid, strlen(spec->network.uuid)) ? NULL : "uuid";
}

const char *network_defaults_valid(const struct network_defaults *defaults)
{
    if (!rates_valid(defaults->rate))
        return "rate";
    if (!address_list_valid(defaults->listeners, defaults->listener_count, SPEC_LISTENERS_MAX))
        return "listeners";
    if (defaults->rate_shadow > 1)
        return "rate_shadow";
    if (defaults->ovn > 1)
        return "ovn";
    return defaults->reserved == 0 ? NULL : "reserved";
}
