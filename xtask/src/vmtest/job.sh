# The functional tests, once for each back-end of $HIPPIUS_PLAN (name:works or name:refused, separated by commas).
export HIPPIUS_AGENT=/t/hippius-agent HIPPIUS_REQUIRE_BPF=1 HIPPIUS_SLOW=5 RUST_BACKTRACE=0
export HIPPIUS_PROGRAMS=/tmp/programs HIPPIUS_LOCKDOWN=integrity
run() {
    /t/kernels --test-threads=1 "$@"
}
# What this kernel does not have is in no list of what passed.
[ -e /proc/sys/net/mptcp/enabled ] || set -- --skip mptcp::
# Nor what the agent does not do on this processor.
[ "$(uname -m)" = x86_64 ] || set -- "$@" --skip tls_at_both_ends
IFS=,
for entry in $HIPPIUS_PLAN; do
    export HIPPIUS_BACKEND="${entry%%:*}" HIPPIUS_BACKEND_EXPECTED="${entry#*:}"
    echo "@begin $HIPPIUS_BACKEND $HIPPIUS_BACKEND_EXPECTED"
    if [ "$HIPPIUS_BACKEND_EXPECTED" = refused ]; then
        run is_refused
    else
        # Where the agent does not start, the other tests would only say so again, slowly.
        run is_the_one_that_was_asked_for && run --skip is_refused --skip is_the_one_that_was_asked_for "$@" "$HIPPIUS_FILTER"
    fi
    echo "@end $?"
    [ -f "$HIPPIUS_PROGRAMS" ] && while read -r line; do echo "@program $line"; done <"$HIPPIUS_PROGRAMS"
    rm -f "$HIPPIUS_PROGRAMS"
done
