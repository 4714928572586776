/*
 * The little server for Prometheus, on libevent's evhttp. See metrics.h.
 *
 * One page, one thread, one connection to the daemon that is made again where it was lost. It reads nothing
 * of a request but its path, and takes no body. What it gives up before the first one: its user and groups
 * where it was root, new privileges, new processes, files of any size, its memory to a debugger.
 */
#include "ctl/metrics.h"

#include "ipc/listen.h"
#include "ipc/steps.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define TIMEOUT_S  10
#define HEAD_MOST  8192
#define FILES_MOST 256
#define PAUSE_US   100000 /* where no connection can be accepted */

static int fail(const char *what, const char *subject)
{
    (void)fprintf(stderr, "metawardctl: cannot %s%s%s: %s\n", what, subject[0] != '\0' ? " " : "", subject,
                  errno_name(errno));
    return CTL_REFUSED;
}

static void on_signal(evutil_socket_t number, short what, void *context)
{
    (void)number, (void)what;
    (void)event_base_loopbreak(context);
}

static void on_accept_again(evutil_socket_t none, short what, void *context)
{
    (void)none, (void)what;
    (void)evconnlistener_enable(context);
}

/* All descriptors are in use: without a pause libevent would try, and complain, as fast as it can. */
static void on_not_accepted(struct evconnlistener *listener, void *context)
{
    const struct timeval pause = {.tv_usec = PAUSE_US};
    (void)context;
    if (evconnlistener_disable(listener) == 0 &&
        event_base_once(evconnlistener_get_base(listener), -1, EV_TIMEOUT, on_accept_again, listener,
                        &pause) != 0)
        (void)evconnlistener_enable(listener);
}

static void answer_failed(struct evhttp_request *request, const char *reason)
{
    struct evbuffer *body = evbuffer_new();
    if (body != NULL)
        (void)evbuffer_add_printf(body, "%s\n", reason);
    (void)evhttp_add_header(evhttp_request_get_output_headers(request), "Content-Type",
                            "text/plain; charset=utf-8");
    evhttp_send_reply(request, 503, "Service Unavailable", body);
    if (body != NULL)
        evbuffer_free(body);
}

/* The daemon may have been started anew since the last time: then the first attempt only finds that out. */
static int fetch(struct ctl *ctl, struct records *records, char *reason)
{
    bool had = ctl->fd >= 0;
    int status = records_fetch(ctl, records, reason);
    return status == CTL_UNREACHABLE && had ? records_fetch(ctl, records, reason) : status;
}

static void on_metrics(struct evhttp_request *request, void *context)
{
    struct records records;
    char reason[CONTROL_REASON_SIZE] = "", *text = NULL;
    size_t length = 0;
    if (fetch(context, &records, reason) != CTL_OK) {
        answer_failed(request, reason);
        return;
    }
    FILE *to = open_memstream(&text, &length);
    if (to != NULL)
        metrics_write(to, &records);
    records_free(&records);
    struct evbuffer *body = evbuffer_new();
    if (to == NULL || fclose(to) != 0 || body == NULL || evbuffer_add(body, text, length) != 0) {
        answer_failed(request, "no memory");
    } else {
        (void)evhttp_add_header(evhttp_request_get_output_headers(request), "Content-Type", METRICS_TYPE);
        evhttp_send_reply(request, 200, "OK", body);
    }
    if (body != NULL)
        evbuffer_free(body);
    free(text);
}

/* As root it becomes nobody, in the group that may use the control socket. It has not connected yet: what
 * root has connected would be root's to the daemon. */
static bool change_user(const struct ctl *ctl)
{
    struct stat file;
    const struct passwd *nobody = getpwnam("nobody");
    if (geteuid() != 0)
        return true;
    if (nobody == NULL || stat(ctl->socket, &file) != 0)
        return false;
    gid_t group = file.st_gid != 0 ? file.st_gid : nobody->pw_gid; /* root's group is not for nobody */
    return setgroups(0, NULL) == 0 && setresgid(group, group, group) == 0 &&
           setresuid(nobody->pw_uid, nobody->pw_uid, nobody->pw_uid) == 0 && geteuid() != 0;
}

static bool limit(__rlimit_resource_t resource, rlim_t most)
{
    const struct rlimit value = {most, most};
    return setrlimit(resource, &value) == 0;
}

static bool give_up(const struct ctl *ctl)
{
    return chdir("/") == 0 && change_user(ctl) && limit(RLIMIT_NPROC, 0) && limit(RLIMIT_CORE, 0) &&
           limit(RLIMIT_NOFILE, FILES_MOST) && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 &&
           prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

static int run(struct event_base *base, struct evhttp *server, struct ctl *ctl)
{
    struct event *interrupted = evsignal_new(base, SIGINT, on_signal, base);
    struct event *terminated = evsignal_new(base, SIGTERM, on_signal, base);
    int status = CTL_REFUSED;
    evhttp_set_timeout(server, TIMEOUT_S);
    evhttp_set_max_headers_size(server, HEAD_MOST);
    evhttp_set_max_body_size(server, 0);
    evhttp_set_allowed_methods(server, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD);
    if (interrupted == NULL || terminated == NULL || event_add(interrupted, NULL) != 0 ||
        event_add(terminated, NULL) != 0 || evhttp_set_cb(server, "/metrics", on_metrics, ctl) != 0)
        (void)fputs("metawardctl: no memory\n", stderr);
    else
        status = event_base_dispatch(base) == 0 ? CTL_OK : CTL_REFUSED;
    if (interrupted != NULL)
        event_free(interrupted);
    if (terminated != NULL)
        event_free(terminated);
    return status;
}

int metrics_serve(struct ctl *ctl, const char *text)
{
    struct address address;
    const char *wrong = address_parse(text, &address);
    if (wrong != NULL)
        return ctl_usage("--listen: %s", wrong);
    int fd = listen_socket(&address);
    if (fd < 0 || !listen_at(fd, &address))
        return fail("listen at", text);
    if (!give_up(ctl))
        return fail("give up its privileges", "");
    (void)signal(SIGPIPE, SIG_IGN);
    struct event_base *base = event_base_new();
    struct evhttp *server = base != NULL ? evhttp_new(base) : NULL;
    struct evhttp_bound_socket *bound = server != NULL ? evhttp_accept_socket_with_handle(server, fd) : NULL;
    if (bound == NULL)
        return fail("serve", text);
    evconnlistener_set_error_cb(evhttp_bound_socket_get_listener(bound), on_not_accepted);
    int status = run(base, server, ctl);
    evhttp_free(server);
    event_base_free(base);
    return status;
}
