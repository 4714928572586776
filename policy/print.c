/*
 * Printing the policies, for operators and reviewers, from the same tables that the filters are made from.
 */
#include "policy/policy.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void print_pins(int fd, const struct policy_line *line)
{
    for (unsigned i = 0; i < line->pin_count; i++) {
        const struct policy_pin *pin = &line->pins[i];
        dprintf(fd, "%sargument %u = %s", i == 0 ? "" : ", ", (unsigned)pin->argument, pin->text);
    }
}

static void print_line(int fd, const struct policy_line *line)
{
    dprintf(fd, "  %-24s %-7s ", line->name,
            line->action == POLICY_ALLOW ? "allow" : strerrorname_np(line->error));
    print_pins(fd, line);
    dprintf(fd, "%s%s%s\n", line->pin_count > 0 ? "; " : "", line->why,
            line->delta ? " [delta of this build]" : "");
}

static void print_line_json(int fd, const struct policy_line *line, bool last)
{
    dprintf(fd, "{\"call\":\"%s\",\"number\":%d,\"action\":\"%s\",\"pins\":[", line->name, line->number,
            line->action == POLICY_ALLOW ? "allow" : strerrorname_np(line->error));
    for (unsigned i = 0; i < line->pin_count; i++) {
        const struct policy_pin *pin = &line->pins[i];
        dprintf(fd, "%s{\"argument\":%u,\"mask\":\"0x%llx\",", i == 0 ? "" : ",", (unsigned)pin->argument,
                (unsigned long long)pin->mask);
        if (pin->source == POLICY_CONSTANT)
            dprintf(fd, "\"value\":%llu,", (unsigned long long)pin->value);
        dprintf(fd, "\"text\":\"%s\"}", pin->text);
    }
    dprintf(fd, "],\"delta\":%s,\"unused\":", line->delta ? "true" : "false");
    if (line->unused != NULL)
        dprintf(fd, "\"%s\"", line->unused);
    else
        dprintf(fd, "null");
    dprintf(fd, ",\"why\":\"%s\"}%s", line->why, last ? "" : ",\n");
}

static void print_policy(int fd, const struct policy *policy, bool json)
{
    if (json)
        dprintf(fd, "\"%s\":[", policy->name);
    else
        dprintf(fd, "%s: %zu system calls allowed; everything else kills the process\n", policy->name,
                policy_allowed(policy));
    for (size_t i = 0; i < policy_length(policy); i++) {
        if (json)
            print_line_json(fd, policy_at(policy, i), i + 1 == policy_length(policy));
        else
            print_line(fd, policy_at(policy, i));
    }
    dprintf(fd, json ? "]" : "\n");
}

bool policy_print(int fd, bool json)
{
    errno = 0;
    if (json)
        dprintf(fd, "{");
    for (enum policy_role role = POLICY_PARENT; role < POLICY_ROLE_COUNT; role++) {
        if (json && role != POLICY_PARENT)
            dprintf(fd, ",\n");
        print_policy(fd, policy_of(role), json);
    }
    if (json)
        return dprintf(fd, "}\n") > 0;
    return dprintf(
               fd,
               "capabilities: none in any process once the sockets exist\n"
               "namespaces of nursery and worker: pid net mnt ipc uts cgroup, all empty\n"
               "root of nursery and worker: the directory of the agent's socket, ro nosuid nodev noexec\n") >
           0;
}
