/*
 * What a record may hold. See instance.h.
 *
 * All three texts are written into a request's head as they are, so nothing passes here that could end a
 * line, or a value, early.
 */
#include "ipc/instance.h"

#include "ipc/text.h"

#include <string.h>

/* No padding: every byte of a record has a name and is checked. */
_Static_assert(sizeof(struct instance) ==
                   20 + INSTANCE_ID_SIZE + INSTANCE_TENANT_SIZE + INSTANCE_SIGNATURE_SIZE,
               "instances have no padding");

#define TENANT_MOST    64
#define SIGNATURE_MOST 64

bool instance_tenant_valid(const char *tenant)
{
    return tenant[0] != '_' && text_is_name(tenant, TENANT_MOST);
}

bool instance_signature_valid(const char *signature)
{
    static const char digits[] = "0123456789abcdefABCDEF";
    const size_t length = strnlen(signature, SIGNATURE_MOST + 1);

    return length > 0 && length <= SIGNATURE_MOST && strspn(signature, digits) == length;
}

bool instance_valid(const struct instance *instance)
{
    if (instance->reserved != 0 || instance->port != 0 || !address_ip_valid(instance->family, instance->ip))
        return false;
    if (!text_stored_well(instance->id, INSTANCE_ID_SIZE) ||
        !text_stored_well(instance->tenant, INSTANCE_TENANT_SIZE) ||
        !text_stored_well(instance->signature, INSTANCE_SIGNATURE_SIZE))
        return false;
    return text_is_uuid(instance->id, strlen(instance->id)) && instance_tenant_valid(instance->tenant) &&
           instance_signature_valid(instance->signature);
}

bool instance_batch_valid(const struct instance_batch *batch)
{
    static const struct instance unused;
    const uint32_t left = batch->first < batch->total ? batch->total - batch->first : 0;

    if (batch->total > INSTANCES_MOST || batch->count > INSTANCE_BATCH || batch->count > left)
        return false;
    if (batch->count == 0 && (batch->total != 0 || batch->first != 0))
        return false;
    for (uint32_t i = 0; i < INSTANCE_BATCH; i++) {
        const struct instance *entry = &batch->entry[i];
        if (i < batch->count ? !instance_valid(entry) : memcmp(entry, &unused, sizeof(unused)) != 0)
            return false;
    }
    return true;
}
