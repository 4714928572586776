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

/* The kernel's structure up to ABI 6; an older kernel is given less of it. */
struct ruleset {
    uint64_t handled_fs;
    uint64_t handled_net;
    uint64_t scoped;
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

bool landlock_apply(void)
{
    int abi = landlock_abi();
    if (abi == 0)
        return true;
    struct ruleset rules = {.handled_fs = fs_rights(abi),
                            .handled_net = abi >= 4 ? 3 : 0, /* bind and connect, TCP */
                            .scoped = abi >= 6 ? 3 : 0};     /* abstract UNIX sockets, signals */
    size_t size = abi >= 6   ? sizeof(rules)
                  : abi >= 4 ? offsetof(struct ruleset, scoped)
                             : offsetof(struct ruleset, handled_net);
    int fd = (int)syscall(SYS_landlock_create_ruleset, &rules, size, 0);
    if (fd < 0)
        return false;
    bool applied = syscall(SYS_landlock_restrict_self, fd, 0) == 0;
    int error = errno;
    close(fd);
    errno = error;
    return applied;
}
