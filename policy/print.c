/*
 * Printing. See print.h.
 */
#include "policy/print.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void print_pins(FILE *out, const struct policy_line *line)
{
    for (unsigned i = 0; i < line->pin_count; i++) {
        const struct policy_pin *pin = &line->pins[i];
        fprintf(out, "%sargument %u = %s", i == 0 ? "" : ", ", (unsigned)pin->argument, pin->text);
    }
}

static void print_line(FILE *out, const struct policy_line *line)
{
    fprintf(out, "  %-24s %-7s ", line->name,
            line->action == POLICY_ALLOW ? "allow" : strerrorname_np(line->error));
    print_pins(out, line);
    fprintf(out, "%s%s%s\n", line->pin_count > 0 ? "; " : "", line->why,
            line->delta ? " [delta of this build]" : "");
}

static void print_line_json(FILE *out, const struct policy_line *line, bool last)
{
    fprintf(out, "{\"call\":\"%s\",\"number\":%d,\"action\":\"%s\",\"pins\":[", line->name, line->number,
            line->action == POLICY_ALLOW ? "allow" : strerrorname_np(line->error));
    for (unsigned i = 0; i < line->pin_count; i++) {
        const struct policy_pin *pin = &line->pins[i];
        fprintf(out, "%s{\"argument\":%u,\"mask\":\"0x%llx\",", i == 0 ? "" : ",", (unsigned)pin->argument,
                (unsigned long long)pin->mask);
        if (pin->source == POLICY_CONSTANT)
            fprintf(out, "\"value\":%llu,", (unsigned long long)pin->value);
        fprintf(out, "\"text\":\"%s\"}", pin->text);
    }
    fprintf(out, "],\"delta\":%s,\"unused\":", line->delta ? "true" : "false");
    if (line->unused != NULL)
        fprintf(out, "\"%s\"", line->unused);
    else
        fprintf(out, "null");
    fprintf(out, ",\"why\":\"%s\"}%s", line->why, last ? "" : ",\n");
}

static void print_policy(FILE *out, const struct policy *policy, bool json)
{
    if (json)
        fprintf(out, "\"%s\":[", policy->name);
    else
        fprintf(out, "%s: %zu system calls allowed; everything else kills the process\n", policy->name,
                policy_allowed(policy));
    for (size_t i = 0; i < policy_length(policy); i++) {
        if (json)
            print_line_json(out, policy_at(policy, i), i + 1 == policy_length(policy));
        else
            print_line(out, policy_at(policy, i));
    }
    fprintf(out, json ? "]" : "\n");
}

void policy_print(FILE *out, bool json)
{
    if (json)
        fprintf(out, "{");
    for (enum policy_role role = POLICY_PARENT; role < POLICY_ROLE_COUNT; role++) {
        if (json && role != POLICY_PARENT)
            fprintf(out, ",\n");
        print_policy(out, policy_of(role), json);
    }
    if (json) {
        fprintf(out, "}\n");
        return;
    }
    fprintf(out, "capabilities: none in any process once the sockets exist; the host daemon's parent keeps\n"
                 "  CAP_SYS_ADMIN         setns() into a network's namespace\n"
                 "  CAP_NET_BIND_SERVICE  bind() to port 80 in there\n"
                 "namespaces of nursery and worker: pid net mnt ipc uts cgroup, all empty\n"
                 "root of nursery and worker: the directory of the agent's socket, ro nosuid nodev noexec\n"
                 "namespaces of the dialer: pid mnt ipc uts cgroup, all empty; the network is the host's\n"
                 "root of the dialer, and of nursery and worker beside one: empty, ro nosuid nodev noexec\n");
    if (policy_delta() != NULL)
        fprintf(out, "delta: %s\n", policy_delta());
}
