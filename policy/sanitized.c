/*
 * How the sanitizers behave in the two programs; only linked into sanitized builds.
 *
 * The look for leaks at the end forks a tracer, which no policy allows; the unit tests, which have no filter,
 * look. policy_delta() names what else differs.
 */
const char *__asan_default_options(void);

const char *__asan_default_options(void)
{
    return "detect_leaks=0:handle_segv=0:handle_abort=0:symbolize=0:detect_stack_use_after_return=0:"
           "allocator_may_return_null=1";
}
