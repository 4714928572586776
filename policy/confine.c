/*
 * The steps themselves. See confine.h for their order and reasons.
 */
#include "policy/confine.h"

#include "policy/descriptors.h"
#include "policy/lockdown.h"

#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/mount.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define HELPER_DESCRIPTORS                                                                                   \
    16 /* three of its own, and what a loader or the C library's resolver opens for a moment */
#define HELPER_SECONDS 2

const unsigned long confine_namespaces =
    CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;

#ifdef METAWARD_SANITIZED
/* The sanitizers' runtimes are shared libraries, so a sanitized child keeps the host's tree, read-only. */
#define ROOT_FLAGS AT_RECURSIVE
#define ROOT_ATTRS (MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID)
#else
#define ROOT_FLAGS 0
#define ROOT_ATTRS                                                                                           \
    (MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NOSYMFOLLOW)
#endif

#ifndef METAWARD_SANITIZED
/* A file system that nobody else has, and nothing in it. */
static int empty_tree(void)
{
    int context = fsopen("tmpfs", FSOPEN_CLOEXEC);
    if (context < 0)
        return -1;
    bool made = fsconfig(context, FSCONFIG_SET_STRING, "mode", "0555", 0) == 0 &&
                fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0;
    int tree = made ? fsmount(context, FSMOUNT_CLOEXEC, ROOT_ATTRS) : -1;
    int error = errno;
    close(context);
    errno = error;
    return tree;
}
#endif

int confine_tree(int directory)
{
#ifdef METAWARD_SANITIZED
    directory = AT_FDCWD; /* the parent's working directory is "/" */
#else
    if (directory < 0)
        return empty_tree();
#endif
    struct mount_attr narrow = {.attr_set = ROOT_ATTRS};
    int tree = open_tree(directory, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | ROOT_FLAGS);
    if (tree < 0)
        return -1;
    if (mount_setattr(tree, "", AT_EMPTY_PATH | ROOT_FLAGS, &narrow, sizeof(narrow)) == 0)
        return tree;
    int error = errno;
    close(tree);
    errno = error;
    return -1;
}

/* Lay the tree over the root, pivot into it (the old root is then stacked onto it), and take the old root
 * off. */
static bool enter_root(int tree)
{
    return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           move_mount(tree, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) == 0 && fchdir(tree) == 0 &&
           syscall(SYS_pivot_root, ".", ".") == 0 && umount2(".", MNT_DETACH) == 0 && chdir("/") == 0;
}

/* What no child ever needs. Processes and descriptors follow in the worker, which must first be started. */
static bool limit_child(rlim_t descriptors)
{
    return confine_limit(RLIMIT_CORE, 0) && confine_limit(RLIMIT_FSIZE, 0) &&
           confine_limit(RLIMIT_MEMLOCK, 0) && confine_limit(RLIMIT_MSGQUEUE, 0) &&
           confine_limit(RLIMIT_NOFILE, descriptors);
}

/* Bounding and ambient sets, and securebits, while CAP_SETPCAP is there; the other sets go with the user. */
static bool shed_capabilities(void)
{
    capng_setpid(0); /* the library remembers the parent's number; 0 is "this process" in any PID namespace */
    capng_clear(CAPNG_SELECT_ALL);
    return capng_apply(CAPNG_SELECT_BOUNDS) == 0 &&
           prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) == 0 && capng_lock() == 0;
}

static bool take_ids(uid_t uid, gid_t gid)
{
    uid_t ruid, euid, suid;
    gid_t rgid, egid, sgid;
    if (uid == 0 || gid == 0) {
        errno = EINVAL;
        return false;
    }
    if (setgroups(0, NULL) != 0 || setresgid(gid, gid, gid) != 0 || setresuid(uid, uid, uid) != 0)
        return false;
    if (capng_apply(CAPNG_SELECT_CAPS) != 0)
        return false;
    if (getresuid(&ruid, &euid, &suid) != 0 || getresgid(&rgid, &egid, &sgid) != 0)
        return false;
    bool taken = ruid == uid && euid == uid && suid == uid && rgid == gid && egid == gid && sgid == gid;
    bool returned = setresuid(0, 0, 0) == 0 || setresgid(0, 0, 0) == 0 || getgroups(0, NULL) != 0;
    errno = EPERM;
    return taken && !returned;
}

static bool place(int fd, int number)
{
    return fd == number ? fcntl(fd, F_SETFD, 0) == 0 : dup3(fd, number, 0) >= 0;
}

/* Exactly the nursery's descriptors, at their numbers; everything else is closed. */
static bool place_descriptors(const struct confinement *confinement)
{
#ifdef METAWARD_SANITIZED
    if (dup3(STDERR_FILENO, REPORT_FD, 0) < 0)
        return false;
#endif
    unsigned last = NURSERY_EXECUTABLE_FD;
    if (!place(confinement->channel, CHANNEL_FD) || !place(confinement->executable, NURSERY_EXECUTABLE_FD) ||
        close(LOG_FD) != 0)
        return false;
    if (confinement->reader != 0 && !place(confinement->reader, (int)(last = NURSERY_READER_FD)))
        return false;
#ifdef METAWARD_SANITIZED
    return close_range(last + 1, REPORT_FD - 1, 0) == 0 && close_range(REPORT_FD + 1, ~0U, 0) == 0;
#else
    return close_range(last + 1, ~0U, 0) == 0;
#endif
}

int confine_before_exec(struct confinement *confinement)
{
    sigset_t none;
    sigemptyset(&none);
    if (setsid() < 0 || sigprocmask(SIG_SETMASK, &none, NULL) != 0)
        return STEP_NAMESPACES;
    if (!enter_root(confinement->root))
        return STEP_ROOT;
    if (!limit_child(confinement->descriptors))
        return STEP_LIMITS;
    if (!shed_capabilities())
        return STEP_CAPABILITIES;
    if (!take_ids(confinement->uid, confinement->gid))
        return STEP_IDS;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return STEP_NO_NEW_PRIVS;
    /* Not before, because a change of ids clears it. Until here, end of file on the channel ends the child.
     */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0)
        return STEP_NO_NEW_PRIVS;
#ifdef METAWARD_SANITIZED
    if (confinement->directory >= 0 &&
        fchdir(confinement->directory) != 0) /* the root is the host's: the worker looks here */
        return STEP_ROOT;
#endif
    if (!place_descriptors(confinement))
        return STEP_DESCRIPTORS;
    confinement->channel = CHANNEL_FD;
    return 0;
}

int confine_helper(void)
{
    const uid_t nobody = 65534; /* the kernel's overflow id: the configured user is not known yet */
    sigset_t none;
    sigemptyset(&none);
    if (setsid() < 0 || sigprocmask(SIG_SETMASK, &none, NULL) != 0)
        return STEP_NAMESPACES;
    if (!limit_child(HELPER_DESCRIPTORS) || !confine_limit(RLIMIT_CPU, HELPER_SECONDS))
        return STEP_LIMITS;
    if (!shed_capabilities())
        return STEP_CAPABILITIES;
    if (!take_ids(nobody, nobody))
        return STEP_IDS;
    if (!confine_limit(RLIMIT_NPROC, 0))
        return STEP_LIMITS;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0)
        return STEP_NO_NEW_PRIVS;
    return 0;
}

int confine_launcher(uid_t uid, gid_t gid)
{
    if (!shed_capabilities())
        return STEP_CAPABILITIES;
    if (!take_ids(uid, gid))
        return STEP_IDS;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || !confine_not_dumpable())
        return STEP_NO_NEW_PRIVS;
    return 0;
}

/* For good: nothing is inheritable or ambient, nothing in the bounding set, and no way to change that. */
static int drop_others(const int *capabilities, size_t count)
{
    if (setgroups(0, NULL) != 0)
        return STEP_IDS;
    capng_clear(CAPNG_SELECT_ALL);
    for (size_t i = 0; i < count; i++) {
        if (capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, (unsigned)capabilities[i]) != 0)
            return STEP_CAPABILITIES;
    }
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0 || capng_lock() != 0 ||
        capng_apply(CAPNG_SELECT_ALL) != 0)
        return STEP_CAPABILITIES;
    return 0;
}

static bool is_among(int capability, const int *capabilities, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (capabilities[i] == capability)
            return true;
    }
    return false;
}

/* Were we started with these capabilities alone? Then there is none to give up, and no power to do so. */
static bool has_only(const int *capabilities, size_t count)
{
    static const capng_type_t passed_on[] = {CAPNG_INHERITABLE, CAPNG_AMBIENT};
    if (getgroups(0, NULL) != 0 || capng_get_caps_process() != 0)
        return false;
    for (int i = 0; i <= CAP_LAST_CAP; i++) {
        bool kept = is_among(i, capabilities, count);
        if (capng_have_capability(CAPNG_EFFECTIVE, (unsigned)i) != kept ||
            capng_have_capability(CAPNG_PERMITTED, (unsigned)i) != kept ||
            capng_have_capability(CAPNG_BOUNDING_SET, (unsigned)i) > kept)
            return false;
        for (size_t set = 0; set < sizeof(passed_on) / sizeof(passed_on[0]); set++) {
            if (capng_have_capability(passed_on[set], (unsigned)i))
                return false;
        }
    }
    return true;
}

static int keep_only(const int *capabilities, size_t count)
{
    int step = has_only(capabilities, count) ? 0 : drop_others(capabilities, count);
    if (step != 0)
        return step;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || !confine_not_dumpable())
        return STEP_NO_NEW_PRIVS;
    return 0;
}

int confine_parent(void)
{
    int step = keep_only(NULL, 0);
    return step == 0 && capng_have_capabilities(CAPNG_SELECT_ALL) != CAPNG_NONE ? STEP_CAPABILITIES : step;
}

int confine_host(void)
{
    static const int kept[] = {CAP_SYS_ADMIN, CAP_NET_BIND_SERVICE};
    int step = keep_only(kept, sizeof(kept) / sizeof(kept[0]));
    return step == 0 && capng_have_capabilities(CAPNG_SELECT_CAPS) != CAPNG_PARTIAL ? STEP_CAPABILITIES
                                                                                    : step;
}

rlim_t confine_raise(__rlimit_resource_t resource, rlim_t value)
{
    struct rlimit limit;
    if (getrlimit(resource, &limit) != 0)
        return 0;
    if (limit.rlim_cur >= value)
        return limit.rlim_cur;
    struct rlimit all = {value, limit.rlim_max > value ? limit.rlim_max : value};
    struct rlimit some = {limit.rlim_max, limit.rlim_max};
    if (setrlimit(resource, &all) == 0)
        return value;
    return setrlimit(resource, &some) == 0 ? limit.rlim_max : limit.rlim_cur;
}
