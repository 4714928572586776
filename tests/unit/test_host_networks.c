/*
 * The table of networks, with namespaces and workers that are made up: what is found, what is kept when
 * something changes, and what a worker is told, in which order.
 */
#include "ipc/text.h"
#include "priv/host/namespaces.h"
#include "priv/host/networks.h"
#include "priv/host/workers.h"
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define MANY 3000

static struct channel worker; /* what the networks' worker is told */
static int hears = -1;        /* its end */
static unsigned assigned, looked;
static bool bound = true; /* do namespaces_look()'s listeners come to be? */

/* --- what is made up --- */

void workers_assign(uint32_t place)
{
    (void)place;
    assigned++;
}

void workers_tell(uint32_t place)
{
    (void)place;
}

void namespaces_look(struct host_network *network)
{
    looked++;
    if (!bound)
        return;
    for (unsigned i = 0; i < network->spec.listener_count; i++) {
        if (network->listeners[i].fd >= 0)
            continue;
        assert_true(networks_number(network, i));
        network->listeners[i].fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_true(network->listeners[i].fd >= 0);
    }
    network->inode = 1;
    networks_state(network, NETWORK_SERVING, NULL, 0);
}

bool namespaces_same(const struct host_network *network, int netns, const char *name)
{
    (void)network, (void)netns, (void)name;
    return false;
}

/* --- the tests' words --- */

static struct network_spec spec(unsigned number, unsigned listeners)
{
    struct network_spec made;
    memset(&made, 0, sizeof(made));
    made.network.identity = IDENTITY_NEUTRON_NETWORK;
    snprintf(made.network.uuid, sizeof(made.network.uuid), "d9f7c1a0-1b2c-4d3e-8f90-%012x", number);
    snprintf(made.netns, sizeof(made.netns), "ns%u", number);
    made.listener_count = (uint8_t)listeners;
    for (unsigned i = 0; i < listeners; i++)
        made.listeners[i] =
            (struct address){.family = ADDRESS_IPV4, .port = (uint16_t)(80 + i), .ip = {169, 254}};
    return made;
}

static uint32_t add(const struct network_spec *wanted, const char *file)
{
    const char *why = NULL;
    uint32_t place = networks_add(wanted, -1, file != NULL ? ORIGIN_FILE : ORIGIN_CONTROL, file, &why);
    assert_true((place == NETWORKS_NONE) == (why != NULL));
    return place;
}

static void tell(uint32_t place)
{
    assert_true(networks_tell(networks_place(place), &worker));
}

/* The next message that the worker was sent; 0: none. */
static struct message heard(void)
{
    static struct channel channel;
    struct received received;
    if (channel.fd != hears)
        channel_begin(&channel, hears);
    if (channel_receive(&channel, PHASE_WORKER, &received) != CHANNEL_OK)
        return (struct message){.type = MSG_NONE};
    if (received.fds[0] >= 0)
        close(received.fds[0]);
    return received.message;
}

static void hear(enum message_type type, uint32_t place, unsigned slot)
{
    struct message message = heard();
    assert_int_equal(message.type, type);
    assert_int_equal(message.network, place);
    assert_int_equal(message.slot, slot);
}

static void forget(uint32_t place)
{
    struct host_network *network = networks_place(place);
    assert_true(networks_remove(network->spec.network.uuid));
    while (heard().type != MSG_NONE)
        ;
    tell(place);
    while (heard().type != MSG_NONE)
        ;
    networks_release(network);
}

static int begin(void **state)
{
    int ends[2];
    (void)state;
    networks_begin(MANY, false);
    if (!loop_begin() || !channel_pair(ends))
        return 1;
    channel_begin(&worker, ends[0]);
    hears = ends[1];
    return 0;
}

/* --- tests --- */

/* The first of all: no other has used places so far. */
static void a_place_that_its_worker_still_knows_is_not_exceeded(void **state)
{
    const struct network_spec one = spec(1, 1), other = spec(2, 1);

    (void)state;
    networks_begin(1, false);
    assert_int_equal(add(&one, NULL), 0);
    tell(0);
    assert_true(networks_remove(one.network.uuid));
    const uint32_t beyond = add(&other, NULL); /* the worker has no number 1 */
    tell(0);
    while (heard().type != MSG_NONE)
        ;
    networks_release(networks_place(0));
    if (beyond != NETWORKS_NONE)
        forget(beyond);
    networks_begin(MANY, false);
    assert_int_equal(beyond, NETWORKS_NONE);
    const uint32_t place = add(&other, NULL);
    assert_int_equal(place, 0);
    forget(place);
}

static void thousands_are_found_and_places_are_used_again(void **state)
{
    struct network_spec wanted = spec(MANY, 1);
    (void)state;
    bound = false;
    for (unsigned i = 0; i < MANY; i++) {
        struct network_spec one = spec(i, 1);
        assert_int_equal(add(&one, NULL), i);
    }
    assert_int_equal(networks_count(NETWORK_WAITING), MANY);
    assert_int_equal(add(&wanted, NULL), NETWORKS_NONE);
    for (unsigned i = 0; i < MANY; i += 7) {
        struct network_spec one = spec(i, 1);
        assert_int_equal(networks_find(one.network.uuid), i);
        assert_ptr_equal(networks_in(one.netns), networks_place(i));
    }
    forget(70);
    assert_null(networks_at(70));
    assert_int_equal(networks_next(70), 71);
    assert_int_equal(add(&wanted, NULL), 70);
    for (unsigned i = 0; i < MANY; i++)
        forget(i);
    assert_int_equal(networks_count(NETWORK_WAITING), 0);
    assert_int_equal(networks_next(0), NETWORKS_NONE);
    bound = true;
}

static void a_worker_is_told_of_a_network_before_its_listeners(void **state)
{
    struct network_spec one = spec(1, 2);
    (void)state;
    uint32_t place = add(&one, NULL);
    const struct host_network *network = networks_at(place);
    tell(place);
    hear(MSG_NETWORK, place, 0);
    hear(MSG_LISTENER, place, network->listeners[0].slot);
    hear(MSG_LISTENER, place, network->listeners[1].slot);
    tell(place); /* nothing is said twice */
    assert_int_equal(heard().type, MSG_NONE);
    networks_forgotten(networks_place(place)); /* but a new worker knows nothing */
    tell(place);
    hear(MSG_NETWORK, place, 0);
    hear(MSG_LISTENER, place, network->listeners[0].slot);
    hear(MSG_LISTENER, place, network->listeners[1].slot);
    assert_true(networks_remove(one.network.uuid));
    assert_int_equal(networks_find(one.network.uuid), NETWORKS_NONE);
    tell(place);
    hear(MSG_REMOVE, place, 0);
    networks_release(networks_place(place));
}

static void a_change_touches_only_what_differs(void **state)
{
    struct network_spec one = spec(1, 3), other;
    (void)state;
    uint32_t place = add(&one, NULL);
    struct host_network *network = networks_place(place);
    tell(place);
    while (heard().type != MSG_NONE)
        ;
    unsigned looks = looked;
    assert_int_equal(add(&one, NULL), place); /* the same */
    assert_int_equal(looked, looks + 1);
    tell(place);
    assert_int_equal(heard().type, MSG_NONE);

    other = one; /* the first listener goes, the others change places, a new one comes, and a rate */
    other.listeners[0] = one.listeners[2];
    other.listeners[2].port = 8080;
    other.network.rate[0] = (struct rate_limit){60, 10};
    int second = network->listeners[1].fd, third = network->listeners[2].fd;
    unsigned slot = network->listeners[0].slot;
    assert_int_equal(add(&other, NULL), place);
    assert_int_equal(network->listeners[0].fd, third);
    assert_int_equal(network->listeners[1].fd, second);
    tell(place);
    hear(MSG_UNLISTEN, 0, slot);
    hear(MSG_NETWORK, place, 0);
    hear(MSG_LISTENER, place, slot);
    assert_int_equal(heard().type, MSG_NONE);

    snprintf(other.netns, sizeof(other.netns), "elsewhere"); /* another namespace: everything anew */
    assert_int_equal(add(&other, NULL), place);
    assert_null(networks_in("ns1"));
    assert_ptr_equal(networks_in("elsewhere"), network);
    tell(place);
    hear(MSG_REMOVE, place, 0);
    hear(MSG_NETWORK, place, 0);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(heard().type, MSG_LISTENER);
    assert_int_equal(heard().type, MSG_NONE);
    forget(place);
}

static void a_worker_that_takes_no_more_is_told_the_rest_later(void **state)
{
    struct network_spec one = spec(1, 4);
    unsigned told = 0;
    (void)state;
    uint32_t place = add(&one, NULL);
    for (unsigned i = 0; networks_tell(networks_place(place), &worker); i++) {
        networks_forgotten(networks_place(place)); /* fill the channel */
        assert_true(i < 10000);
    }
    do {
        while (heard().type != MSG_NONE)
            told++;
    } while (!networks_tell(networks_place(place), &worker));
    while (heard().type != MSG_NONE)
        told++;
    assert_int_equal(told % 5, 0); /* whole sets of five: no message was lost or sent twice */
    forget(place);
}

static void a_drained_network_closes_its_listeners_alone(void **state)
{
    struct network_spec one = spec(1, 1);
    (void)state;
    uint32_t place = add(&one, NULL);
    tell(place);
    while (heard().type != MSG_NONE)
        ;
    assert_true(networks_drain(one.network.uuid));
    assert_false(networks_drain(UUID));
    assert_int_equal(networks_at(place)->state, NETWORK_DRAINING);
    tell(place);
    hear(MSG_UNLISTEN, 0, networks_at(place)->listeners[0].slot);
    assert_int_equal(heard().type, MSG_NONE);
    assert_int_equal(add(&one, NULL), place); /* added again, it serves again */
    assert_int_equal(networks_at(place)->state, NETWORK_SERVING);
    tell(place);
    assert_int_equal(heard().type, MSG_LISTENER);
    forget(place);
}

static void another_daemons_network_goes_on_as_it_was(void **state)
{
    struct network_spec three = spec(1, 3), other = spec(2, 1);
    struct handover record;
    int fds[HANDOVER_DESCRIPTORS_MAX];
    (void)state;
    handover_begin(&record, HANDOVER_NETWORK);
    record.body.spec = three;
    strcpy(record.file, "one.conf");
    record.listeners = 5; /* the second one was not there */
    record.with = HANDOVER_WITH_NETNS;
    record.device = 3;
    record.inode = 7;
    for (unsigned i = 0; i < 3; i++)
        assert_true((fds[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) >= 0);
    bound = false;
    uint32_t place = networks_adopt(&record, fds);
    const struct host_network *network = networks_at(place);
    assert_int_equal(network->listeners[0].fd, fds[0]);
    assert_int_equal(network->listeners[1].fd, -1);
    assert_int_equal(network->listeners[2].fd, fds[1]);
    assert_int_equal(network->netns, fds[2]);
    assert_int_equal(network->inode, 7);
    assert_int_equal(network->state, NETWORK_WAITING);
    assert_string_equal(network->file, "one.conf");
    assert_int_equal(networks_adopt(&record, fds), NETWORKS_NONE); /* there is one with this id */
    bound = true;
    tell(place);
    assert_int_equal(heard().type, MSG_NETWORK);
    assert_int_equal(heard().type, MSG_LISTENER);
    assert_int_equal(heard().type, MSG_LISTENER);
    assert_int_equal(heard().type, MSG_NONE);
    networks_loading(); /* its file is gone */
    assert_int_equal(networks_loaded(), 1);
    assert_int_equal(networks_find(three.network.uuid), NETWORKS_NONE);
    record.body.spec = other;
    record.listeners = 0;
    record.with = 0;
    record.state = NETWORK_DRAINING;
    bound = false;
    place = networks_adopt(&record, fds);
    bound = true;
    assert_int_equal(networks_at(place)->state, NETWORK_DRAINING);
    forget(place);
}

static void files_that_are_gone_take_their_networks_with_them(void **state)
{
    struct network_spec one = spec(1, 1), two = spec(2, 1), three = spec(3, 1);
    (void)state;
    networks_loading();
    uint32_t first = add(&one, "one.conf"), second = add(&two, "two.conf"), third = add(&three, NULL);
    assert_int_equal(add(&one, "copy.conf"), NETWORKS_NONE); /* two files, one network */
    assert_int_equal(add(&one, NULL), NETWORKS_NONE);        /* the control socket can't take it over */
    networks_bad_file("bad.conf", "3: netns: no such thing");
    assert_int_equal(networks_loaded(), 0);
    assert_int_equal(networks_count(NETWORK_FAILED), 1);
    assert_int_equal(networks_count(NETWORK_SERVING), 3);

    networks_loading();
    assert_int_equal(add(&one, "one.conf"), first);
    networks_bad_file("two.conf", "1: nonsense"); /* what it said before goes on */
    assert_int_equal(networks_loaded(), 1);       /* bad.conf */
    assert_int_equal(networks_count(NETWORK_FAILED), 0);
    assert_string_equal(networks_at(second)->detail, "1: nonsense");

    networks_loading();
    assert_int_equal(add(&two, "two.conf"), second);
    assert_string_equal(networks_at(second)->detail, "");
    assert_int_equal(networks_loaded(), 1);
    assert_null(networks_at(first));
    networks_release(networks_place(first));
    assert_non_null(networks_at(third));
    forget(second);
    forget(third);
}

static bool same_file(int one, int other)
{
    struct stat a, b;
    return fstat(one, &a) == 0 && fstat(other, &b) == 0 && a.st_rdev == b.st_rdev && a.st_ino == b.st_ino;
}

static void a_descriptor_that_is_not_wanted_is_closed(void **state)
{
    struct network_spec one = spec(1, 1);
    const char *why;
    (void)state;
    memset(one.netns, 0, sizeof(one.netns));
    int netns = open("/dev/null", O_RDONLY | O_CLOEXEC);
    uint32_t place = networks_add(&one, netns, ORIGIN_LEASE, NULL, &why);
    assert_int_not_equal(place, NETWORKS_NONE);
    int again = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_int_equal(networks_add(&one, again, ORIGIN_CONTROL, NULL, &why), NETWORKS_NONE);
    assert_int_equal(fcntl(again, F_GETFD), -1);
    again = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_int_equal(networks_add(&one, again, ORIGIN_LEASE, NULL, &why), place);
    assert_int_equal(networks_at(place)->netns, again);
    assert_false(same_file(netns, again));
    assert_int_equal(networks_add(&one, -1, ORIGIN_LEASE, NULL, &why), NETWORKS_NONE);
    forget(place);
    assert_int_equal(fcntl(again, F_GETFD), -1);
}

static void a_descriptor_in_whose_place_comes_a_name_is_closed(void **state)
{
    struct network_spec one = spec(1, 0); /* no listener that takes the number */
    const char *why;
    (void)state;
    int netns = open("/dev/null", O_RDONLY | O_CLOEXEC);
    uint32_t place = networks_add(&one, netns, ORIGIN_CONTROL, NULL, &why);
    strcpy(one.netns, "another");
    assert_int_equal(add(&one, NULL), place);
    assert_int_equal(networks_at(place)->netns, -1);
    assert_int_equal(fcntl(netns, F_GETFD), -1);
    forget(place);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_place_that_its_worker_still_knows_is_not_exceeded),
        cmocka_unit_test(thousands_are_found_and_places_are_used_again),
        cmocka_unit_test(a_worker_is_told_of_a_network_before_its_listeners),
        cmocka_unit_test(a_change_touches_only_what_differs),
        cmocka_unit_test(a_worker_that_takes_no_more_is_told_the_rest_later),
        cmocka_unit_test(a_drained_network_closes_its_listeners_alone),
        cmocka_unit_test(another_daemons_network_goes_on_as_it_was),
        cmocka_unit_test(files_that_are_gone_take_their_networks_with_them),
        cmocka_unit_test(a_descriptor_that_is_not_wanted_is_closed),
        cmocka_unit_test(a_descriptor_in_whose_place_comes_a_name_is_closed),
    };
    return cmocka_run_group_tests(tests, begin, NULL);
}
