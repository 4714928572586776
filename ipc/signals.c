/*
 * See signals.h.
 */
#include "ipc/signals.h"

#include <signal.h>
#include <stddef.h>

static volatile sig_atomic_t wish = WISH_NONE;
static volatile sig_atomic_t reload, upgrade;

static void on_signal(int number)
{
    if (number == SIGTERM || number == SIGINT)
        wish = WISH_END;
    else if (number != SIGCHLD && wish == WISH_NONE)
        wish = WISH_DRAIN;
}

bool signals_hold(void)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGQUIT, SIGUSR1, SIGCHLD};
    struct sigaction action = {.sa_handler = on_signal};
    sigset_t held;
    sigemptyset(&held);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        sigaddset(&held, numbers[i]);
        if (sigaction(numbers[i], &action, NULL) != 0)
            return false;
    }
    action.sa_handler = SIG_IGN;
    return sigaction(SIGPIPE, &action, NULL) == 0 && sigaction(SIGHUP, &action, NULL) == 0 &&
           sigprocmask(SIG_SETMASK, &held, NULL) == 0;
}

static void on_reload(int number)
{
    if (number == SIGHUP)
        reload = 1;
    else
        upgrade = 1;
}

bool signals_hold_reload(void)
{
    struct sigaction action = {.sa_handler = on_reload};
    sigset_t held;
    sigemptyset(&held);
    sigaddset(&held, SIGHUP);
    return sigprocmask(SIG_BLOCK, &held, NULL) == 0 && sigaction(SIGHUP, &action, NULL) == 0;
}

bool signals_hold_upgrade(void)
{
    struct sigaction action = {.sa_handler = on_reload};
    sigset_t held;
    sigemptyset(&held);
    sigaddset(&held, SIGUSR2);
    return sigprocmask(SIG_BLOCK, &held, NULL) == 0 && sigaction(SIGUSR2, &action, NULL) == 0;
}

bool signals_upgrade(void)
{
    const bool asked = upgrade != 0;
    upgrade = 0;
    return asked;
}

/* It is held back here, so none gets lost between the two. */
bool signals_reload(void)
{
    const bool asked = reload != 0;
    reload = 0;
    return asked;
}

enum signal_wish signals_wish(void)
{
    return (enum signal_wish)wish;
}
