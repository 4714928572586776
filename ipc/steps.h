/*
 * The steps of a start, as one table.
 *
 * Every step that can fail has a number of its own. In the parent that number is the exit status; in a child
 * it travels in a MSG_FAILED message together with errno, and the parent exits with it. One table serves
 * both, so an operator, a unit file and a test can tell the steps apart, and no step can be added without
 * saying what the operator should do about its failure.
 *
 * Exit status 1 and 2 stay free: 1 is what the drop-in must use for everything, 2 is a wrong command line.
 */
#ifndef METAWARD_IPC_STEPS_H
#define METAWARD_IPC_STEPS_H

#include <stdbool.h>

/* STEP(identifier, exit status, what failed, what to do) */
#define METAWARD_STEPS(STEP)                                                                                 \
    STEP(STEP_USAGE, 2, "read the command line", "see metawardd --help")                                     \
    STEP(STEP_DESCRIPTORS, 10, "tidy the inherited descriptors",                                             \
         "start with 0, 1 and 2 open and /dev/null present")                                                 \
    STEP(STEP_PRIVILEGE, 11, "find the privileges for the start", "start as root")                           \
    STEP(STEP_USER, 12, "resolve the worker's user", "give --user an existing account that is not root")     \
    STEP(STEP_GROUP, 13, "resolve the worker's group", "give --group an existing group that is not root")    \
    STEP(STEP_WORKER_EXECUTABLE, 14, "open the worker's executable",                                         \
         "install metaward so that root owns every part of that path and nobody else may write to it")       \
    STEP(STEP_BACKEND_DIRECTORY, 15, "open the directory of the agent's socket",                             \
         "create it, or correct --metadata-proxy-socket")                                                    \
    STEP(STEP_NETNS_OPEN, 16, "open the network namespace", "create it (ip netns add) or correct --netns")   \
    STEP(STEP_NETNS_ENTER, 17, "enter the network namespace and come back",                                  \
         "start as root in the host's namespace")                                                            \
    STEP(STEP_LISTEN, 18, "listen", "correct --listen, or stop the process that holds the address")          \
    STEP(STEP_LOG, 19, "open the log", "choose another --log")                                               \
    STEP(STEP_PID_FILE, 20, "write the pid file", "look for another instance, or correct --pid-file")        \
    STEP(STEP_DAEMONIZE, 21, "go into the background", "look at the limits on processes")                    \
    STEP(STEP_START_NURSERY, 22, "start the worker's nursery", "look at the limits on processes and memory") \
    STEP(STEP_NAMESPACES, 23, "make the worker's own namespaces",                                            \
         "allow namespaces (user.max_*_namespaces)")                                                         \
    STEP(STEP_ROOT, 24, "change the worker's root directory",                                                \
         "let the directory of the agent's socket be mounted")                                               \
    STEP(STEP_IDS, 25, "take on the worker's user and group", "start as root")                               \
    STEP(STEP_CAPABILITIES, 26, "give up all capabilities", "start as root")                                 \
    STEP(STEP_NO_NEW_PRIVS, 27, "set no_new_privs and dumpable", "use Linux 5.14 or later")                  \
    STEP(STEP_LIMITS, 28, "set the resource limits", "raise the hard limits of the service")                 \
    STEP(STEP_EXEC, 29, "execute the worker", "install metaward on a file system without noexec")            \
    STEP(STEP_MEMORY, 30, "reserve the memory", "lower --max-connections or raise the memory limit")         \
    STEP(STEP_BACKEND_ADDRESS, 31, "seal the agent's address", "use Linux 5.14 or later")                    \
    STEP(STEP_EVENTS, 32, "start the event loop", "use Linux 5.14 or later")                                 \
    STEP(STEP_LANDLOCK, 33, "apply Landlock", "look at the kernel's log")                                    \
    STEP(STEP_INVENTORY, 34, "find exactly the expected descriptors", "report this as a bug")                \
    STEP(STEP_FILTER, 35, "load the system call filter", "use a kernel with CONFIG_SECCOMP_FILTER")          \
    STEP(STEP_CHANNEL, 36, "talk over the channel", "report this as a bug")                                  \
    STEP(STEP_FACTS, 37, "confirm the worker's confinement",                                                 \
         "report this as a bug; nothing was handed over")                                                    \
    STEP(STEP_WORKER_DIED, 38, "keep a worker running", "look at the lines above and at the kernel's log")   \
    STEP(STEP_NURSERY_DIED, 39, "keep the worker's nursery running",                                         \
         "look at the kernel's log, then start again")                                                       \
    STEP(STEP_CLEANUP, 40, "clean up", "remove the file by hand")                                            \
    STEP(STEP_CONFIGURATION, 41, "read the configuration", "correct the file; nothing was started")          \
    STEP(STEP_READER, 42, "run the reader of configurations", "install metaward whole, and as root")         \
    STEP(STEP_RESOLVE, 43, "look up the agent's name",                                                       \
         "correct --metadata-address, or the host's name resolution")                                        \
    STEP(STEP_LEASE, 44, "have the host daemon serve the network",                                           \
         "look at the host daemon's log, or end it")                                                         \
    STEP(STEP_START_DIALER, 45, "start the dialer", "look at the limits on processes and memory")            \
    STEP(STEP_DIALER_DIED, 46, "keep the dialer running", "look at the kernel's log, then start again")      \
    STEP(STEP_CONTROL, 47, "open the control socket", "end the other daemon, or correct control_socket")     \
    STEP(STEP_SUCCESSOR, 48, "execute the installed program for an upgrade",                                 \
         "install metaward so that root owns every part of that path and nobody else may write to it")       \
    STEP(STEP_TAKE_OVER, 49, "take over from the daemon that runs",                                          \
         "use metawardctl upgrade; what runs goes on as it was")                                             \
    STEP(STEP_LAUNCHER, 50, "have the launcher do it",                                                       \
         "start metaward-launcher.socket and look at its service's log, or leave out --launcher")            \
    STEP(STEP_LAUNCHER_DIED, 51, "keep the launcher running",                                                \
         "look at its service's log and at the kernel's, then start again")

enum step {
#define STEP(id, status, what, advice) id = (status),
    METAWARD_STEPS(STEP)
#undef STEP
};

/** Is it the exit status of a step? */
bool step_known(int number);

/**
 * What a step does, as the second half of "cannot ...".
 *
 * @param number a step's exit status, from anywhere (a message, an exit status); need not be valid
 * @return a constant string; "do something unknown" where there is no such step
 */
const char *step_what(int number);

/**
 * What an operator should do when the step fails.
 *
 * @param number a step's exit status, need not be valid
 * @return a constant string; "report this as a bug" where there is no such step
 */
const char *step_advice(int number);

/**
 * The symbolic name of an errno value ("ENOENT"); for the few that start steps can meet.
 *
 * strerror() is not used in this project: it may allocate, translate and open files. strerrorname_np() is a
 * plain table in glibc 2.32 and later.
 *
 * @return a constant string, "E?" for an unknown number, "no error" for 0
 */
const char *errno_name(int number);

#endif
