/*
 * The reader's policy: three system calls.
 *
 * The reader parses what an agent wrote. It can read the one descriptor that it was given, say what it found
 * (waiting for the parent to take it), and end. It opens nothing, asks for no memory, and does not look at
 * the time.
 */
#include "policy/descriptors.h"
#include "policy/table.h"

#include <sys/socket.h>

static const struct policy_line lines[] = {
    PINNED(read, "the configuration's text", INT(0, READER_FILE_FD)),
    PINNED(sendto, "what was read, to the parent", INT(0, READER_ANSWER_FD), INT(3, MSG_NOSIGNAL), NONE(4),
           INT(5, 0)),
    BARE(exit_group, "end as soon as that is said"),
};

#ifdef METAWARD_SANITIZED
static const char for_reports[] = "sanitizers: print a report and stop";
static const struct policy_line more[] = {
    {.number = SYS_write, .name = "write", .delta = true, .why = for_reports},
    {.number = SYS_getpid, .name = "getpid", .delta = true, .why = for_reports},
    {.number = SYS_gettid, .name = "gettid", .delta = true, .why = for_reports},
    {.number = SYS_tgkill, .name = "tgkill", .delta = true, .why = for_reports},
    {.number = SYS_rt_sigprocmask, .name = "rt_sigprocmask", .delta = true, .why = for_reports},
    {.number = SYS_rt_sigaction, .name = "rt_sigaction", .delta = true, .why = for_reports},
    {.number = SYS_sigaltstack, .name = "sigaltstack", .delta = true, .why = for_reports},
    {.number = SYS_sched_yield, .name = "sched_yield", .delta = true, .why = for_reports},
    {.number = SYS_readlink, .name = "readlink", .delta = true, .why = for_reports},
    {.number = SYS_futex, .name = "futex", .delta = true, .why = for_reports},
    {.number = SYS_mmap, .name = "mmap", .delta = true, .why = for_reports},
    {.number = SYS_munmap, .name = "munmap", .delta = true, .why = for_reports},
};
#define MORE LINES(more)
#else
#define MORE NO_LINES
#endif

const struct policy policy_reader = {"reader", LINES(lines), NO_LINES, MORE};
