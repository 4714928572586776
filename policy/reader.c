/*
 * The reader's policies: three system calls, and two more where it reads the files of a host.
 *
 * The reader parses what an agent wrote. It can read the one descriptor that it was given, say what it found
 * (waiting for the parent to take it), and end. It opens nothing, asks for no memory, and does not look at
 * the time. That of a host gets its files one after another, as descriptors that stand at one number.
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

static const struct policy_line host_lines[] = {
    PINNED(recvmsg, "the next file, from the parent", INT(0, READER_ANSWER_FD), INT(2, MSG_CMSG_CLOEXEC)),
    PINNED(read, "its text", INT(0, READER_NEXT_FD)),
    PINNED(close, "the file, when it is read", INT(0, READER_NEXT_FD)),
    PINNED(sendto, "what was read, to the parent", INT(0, READER_ANSWER_FD), INT(3, MSG_NOSIGNAL), NONE(4),
           INT(5, 0)),
    BARE(exit_group, "end when the parent has no more files"),
};

MORE_WHERE_SANITIZED(DELTA(write), DELTA(readlink), DELTA(mmap));
POLICY(reader, lines);
POLICY(reader_host, host_lines);
