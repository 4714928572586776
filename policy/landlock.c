/*
 * Landlock without a library: three system calls, no wrappers in the C library.
 */
#include "policy/landlock.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CREATE_VERSION 1U
#define RULE_PORT      2U /* LANDLOCK_RULE_NET_PORT, from ABI 4 on */
#define BIND_TCP       1U
#define CONNECT_TCP    2U
#define ABI_TCP        4

/* The kernel's structure up to ABI 6; an older kernel is given less of it. */
struct ruleset {
    uint64_t handled_fs;
    uint64_t handled_net;
    uint64_t scoped;
};

struct port_rule {
    uint64_t allowed;
    uint64_t port; /* host order */
};

/* How many of the file system's rights an ABI knows: their bits are the lowest ones. */
static uint64_t fs_rights(int abi)
{
    static const unsigned char count[] = {0, 13, 14, 15, 15, 16};
    unsigned bits = abi >= 5 ? count[5] : count[abi];
    return (1ULL << bits) - 1;
}

int landlock_abi(void)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_VERSION);
    return abi > 0 ? (int)abi : 0;
}

/* Allow connections to one port, where the kernel would refuse them otherwise. */
static bool allow_port(int fd, int abi, uint16_t port)
{
    const struct port_rule rule = {CONNECT_TCP, port};
    return abi < ABI_TCP || port == 0 || syscall(SYS_landlock_add_rule, fd, RULE_PORT, &rule, 0) == 0;
}

bool landlock_apply(uint16_t port)
{
    int abi = landlock_abi();
    if (abi == 0)
        return true;
    struct ruleset rules = {.handled_fs = fs_rights(abi),
                            .handled_net = abi >= ABI_TCP ? BIND_TCP | CONNECT_TCP : 0,
                            .scoped = abi >= 6 ? 3 : 0}; /* abstract UNIX sockets, signals */
    size_t size = abi >= 6   ? sizeof(rules)
                  : abi >= 4 ? offsetof(struct ruleset, scoped)
                             : offsetof(struct ruleset, handled_net);
    int fd = (int)syscall(SYS_landlock_create_ruleset, &rules, size, 0);
    if (fd < 0)
        return false;
    bool applied = allow_port(fd, abi, port) && syscall(SYS_landlock_restrict_self, fd, 0) == 0;
    int error = errno;
    close(fd);
    errno = error;
    return applied;
}
