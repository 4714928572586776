/*
 * The worker's end of the line. See dialing.h for the theory.
 */
#include "unpriv/worker/dialing.h"

#include "ipc/dial.h"
#include "ipc/steps.h"
#include "policy/descriptors.h"
#include "unpriv/worker/service.h"
#include "unpriv/worker/upstream.h"

#include <unistd.h>

#define ANSWERS_AT_ONCE 64 /* then the connections there are have their turn */

static struct event line_event;
static struct list dialing;     /* exchanges, by their waiter's node; the oldest first */
static uint32_t dialing_length; /* of that list */
static uint32_t asked;          /* answers that are still to come */

static void take(int fd, int error)
{
    struct waiter *waiter;
    struct exchange *exchange;

    if (list_empty(&dialing)) {
        if (fd >= 0)
            close(fd);
        return;
    }
    waiter = list_owner(dialing.first, struct waiter, node);
    exchange = list_owner(waiter, struct exchange, waiter);
    dialing_leave(exchange);
    upstream_dialed(exchange, fd, error);
}

/* Without a line that can be trusted there is no agent: the parent knows what to do about a worker that ends.
 */
static void on_line(int fd, short what, void *unused)
{
    (void)fd, (void)what, (void)unused;
    service_wake();
    for (unsigned i = 0; i == 0 || (i < ANSWERS_AT_ONCE && asked > 0); i++) {
        int connection, error;
        enum channel_result result = dial_receive_answer(LINE_FD, &connection, &error);

        if (result == CHANNEL_AGAIN)
            break;
        if (result != CHANNEL_OK || asked == 0)
            _exit(STEP_CHANNEL);
        asked--;
        take(connection, error);
    }
    service_settle();
}

bool dialing_start(void)
{
    if (!settings_dialed(&service.settings))
        return true;
    event_assign(&line_event, service.base, LINE_FD, EV_READ | EV_PERSIST, on_line, NULL);
    return event_add(&line_event, NULL) == 0;
}

bool dialing_ask(struct exchange *exchange)
{
    if (asked == dialing_length) {
        if (dial_ask(LINE_FD) != CHANNEL_OK)
            return false;
        asked++;
    }
    list_append(&dialing, &exchange->waiter.node);
    dialing_length++;
    exchange->dialing = true;
    return true;
}

void dialing_leave(struct exchange *exchange)
{
    list_remove(&dialing, &exchange->waiter.node);
    dialing_length--;
    exchange->dialing = false;
}
