# What calls cost, for each back-end of $HIPPIUS_PLAN that works on this kernel.
export HIPPIUS_AGENT=/t/hippius-agent HIPPIUS_REQUIRE_BPF=1 HIPPIUS_SLOW=5
IFS=,
for entry in $HIPPIUS_PLAN; do
    [ "${entry#*:}" = works ] || continue
    export HIPPIUS_BACKEND="${entry%%:*}"
    /t/bench --guest "emulated-$HIPPIUS_SERIES-$HIPPIUS_BACKEND"
done
