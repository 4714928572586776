/*
 * metaward-reader: started by the parent at its own start, as a user without any rights, and by the nursery
 * of a host's proxy whenever the configuration is to be read again.
 */
#include "unpriv/reader/run.h"

#include <unistd.h>

static const char help[] = "metaward-reader is started by metaward; see metawardd --help and haproxy -vv\n";

int main(int argc, char **argv)
{
    (void)argv;
    if (argc == 1)
        _exit(reader_run());
    if (write(STDERR_FILENO, help, sizeof(help) - 1) < 0)
        return 1;
    return 2;
}
