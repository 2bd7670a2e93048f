# The functional tests, once for each back-end of $HIPPIUS_PLAN (name:works or name:refused, separated by commas).
export HIPPIUS_AGENT=/t/hippius-agent HIPPIUS_REQUIRE_BPF=1 HIPPIUS_SLOW=10 RUST_BACKTRACE=0
export HIPPIUS_PROGRAMS=/tmp/programs
IFS=,
for entry in $HIPPIUS_PLAN; do
    export HIPPIUS_BACKEND="${entry%%:*}" HIPPIUS_BACKEND_EXPECTED="${entry#*:}"
    [ "$HIPPIUS_BACKEND_EXPECTED" = refused ] && refusal=is_refused || refusal="$HIPPIUS_FILTER,--skip,is_refused"
    echo "@begin $HIPPIUS_BACKEND $HIPPIUS_BACKEND_EXPECTED"
    /t/kernels --test-threads=1 $refusal
    echo "@end $?"
    [ -f "$HIPPIUS_PROGRAMS" ] && while read -r line; do echo "@program $line"; done <"$HIPPIUS_PROGRAMS"
    rm -f "$HIPPIUS_PROGRAMS"
done
