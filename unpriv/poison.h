/*
 * What must not be called in the confined processes does not compile there.
 *
 * This header comes first in every file of unpriv/. The names below allocate, open files, read the time zone
 * or the environment, print, or start processes: nothing of that works under the filter, and most sandboxed
 * programs die in just such a call, in an error path that nobody had tried. The headers that declare them are
 * read before the names are poisoned, so only a use in our own code is an error.
 */
#ifndef METAWARD_UNPRIV_POISON_H
#define METAWARD_UNPRIV_POISON_H

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <fcntl.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

/* Some of them are macros of the C library, depending on compiler and level of checks. */
#undef alloca
#undef strdup
#undef strndup
#undef asprintf
#undef vasprintf
#undef printf
#undef fprintf
#undef dprintf
#undef sprintf
#undef snprintf
#undef vprintf
#undef vsnprintf
#undef putchar
#undef syslog
#undef vsyslog

/* memory */
#pragma GCC poison malloc calloc realloc reallocarray free strdup strndup asprintf vasprintf aligned_alloc
#pragma GCC poison posix_memalign alloca sbrk brk qsort
/* files and directories */
#pragma GCC poison fopen fdopen freopen fclose open openat creat opendir tmpfile mkstemp realpath getcwd
/* text in and out */
#pragma GCC poison printf fprintf dprintf sprintf snprintf vprintf vsnprintf puts putchar fputs perror       \
    sscanf strtok
#pragma GCC poison strerror strerror_r strsignal psignal syslog vsyslog openlog
/* time zone, locale, environment, accounts */
#pragma GCC poison localtime localtime_r gmtime gmtime_r mktime strftime ctime asctime tzset time setlocale  \
    getenv
#pragma GCC poison setenv getpwnam getpwuid getgrnam getgrgid
/* processes and threads; the nursery makes its one by system call */
#pragma GCC poison system popen fork vfork execl execv execve execvp posix_spawn exit atexit abort sleep     \
    usleep

#endif
