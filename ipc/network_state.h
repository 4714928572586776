/*
 * How far a network of the host daemon has come, and who asked for it: what the daemon keeps and its clients
 * are told.
 */
#ifndef METAWARD_IPC_NETWORK_STATE_H
#define METAWARD_IPC_NETWORK_STATE_H

enum network_state {
    NETWORK_WAITING =
        0,            /* something that it needs is not there yet: tried again, and taken up when it comes */
    NETWORK_SERVING,  /* every listener is there */
    NETWORK_FAILED,   /* its configuration is not good: nothing will change that but a new one */
    NETWORK_DRAINING, /* takes no newcomers; removed by whoever asked for that */
    NETWORK_STATE_COUNT
};

enum network_origin {
    ORIGIN_FILE = 0, /* a file of the networks' directory */
    ORIGIN_CONTROL,  /* the control socket */
    ORIGIN_LEASE,    /* a process that holds it by its connection to the control socket */
    ORIGIN_COUNT
};

#endif
