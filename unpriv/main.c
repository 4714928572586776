/*
 * metaward-worker: one executable for the nursery and the workers that it starts, and for the dialer.
 *
 * It is not for the command line: the parent executes it as the nursery or as the dialer, confined already,
 * and the nursery executes it as a worker. Which of them is the first argument; the second is a name for the
 * process list.
 */
#include "unpriv/dialer.h"
#include "unpriv/nursery.h"
#include "unpriv/start.h"

#include <string.h>
#include <unistd.h>

#ifdef METAWARD_SANITIZED
#include "policy/descriptors.h"
#include <sanitizer/common_interface_defs.h>
#endif

static const char help[] = "metaward-worker is started by metawardd; see metawardd --help\n";

int main(int argc, char **argv)
{
#ifdef METAWARD_SANITIZED
    __sanitizer_set_report_fd((void *)(intptr_t)REPORT_FD);
#endif
    if (argc == 3 && strcmp(argv[1], "nursery") == 0)
        _exit(nursery_run(argv[2], POLICY_NURSERY));
    if (argc == 3 && strcmp(argv[1], "nursery-dialed") == 0)
        _exit(nursery_run(argv[2], POLICY_NURSERY_DIALED));
    if (argc == 3 && strcmp(argv[1], "nursery-reload") == 0)
        _exit(nursery_run(argv[2], POLICY_NURSERY_RELOAD));
    if (argc == 3 && strcmp(argv[1], "nursery-host") == 0)
        _exit(nursery_run(argv[2], POLICY_NURSERY_HOST));
    if (argc == 3 && strcmp(argv[1], "dialer") == 0)
        _exit(dialer_run());
    if (argc == 3 && strcmp(argv[1], "worker") == 0)
        _exit(start_worker());
    if (write(STDERR_FILENO, help, sizeof(help) - 1) < 0)
        return 1;
    return 2;
}
