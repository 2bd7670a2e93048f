#!/bin/bash
# Runs the blocks of the guide where they can do no harm: guide_sandbox.sh FOLDER AGENT PYTHON
#
# Started in network and mount namespaces of its own, so the addresses of the guide are free and what is installed below
# /etc, /usr/local and /var/lib is gone at the end. FOLDER/blocks has one script per block, in order. systemd is not there;
# a stand-in starts what the installed units say.
set -euo pipefail
folder=$1 agent=$2 python=$3
apps=$(cd "$(dirname "$0")" && pwd)

mount --make-rprivate /
mkdir -p "$folder/layers" "$folder/shims" "$folder/project/target/release" "$folder/run"
mount -t tmpfs layers "$folder/layers"
for place in etc usr/local var/lib; do
    layer=$folder/layers/${place//\//-}
    mkdir -p "$layer/upper" "$layer/work"
    mount -t overlay overlay -o "lowerdir=/$place,upperdir=$layer/upper,workdir=$layer/work" "/$place"
done
# What the host has of these is not the guide's.
rm -rf /etc/hippius-agent /etc/prometheus /etc/systemd/system/hippius-agent.service /var/lib/prometheus
mkdir -p /var/lib/prometheus
ip link set lo up

cat >"$folder/shims/sudo" <<'SHIM'
#!/bin/bash
exec "$@"
SHIM
cat >"$folder/shims/journalctl" <<SHIM
#!/bin/bash
tail "$folder/run/\$2.log"
SHIM
cat >"$folder/shims/systemctl" <<SHIM
#!/bin/bash
# enable --now, restart, reload, status: by the unit's own ExecStart.
set -euo pipefail
words=("\$@")
verb=\$1 name=\${words[-1]%.service}
pidfile=$folder/run/\$name.pid
running() { [ -e "\$pidfile" ] && kill -0 "\$(cat "\$pidfile")"; }
case \$verb in
daemon-reload) ;;
enable | restart)
    if running; then
        kill "\$(cat "\$pidfile")"
        while running 2>/dev/null; do sleep 0.1; done
    fi
    for unit in /etc/systemd/system /usr/lib/systemd/system /lib/systemd/system; do
        [ -e "\$unit/\$name.service" ] && break
    done
    environment=\$(sed -n 's/^EnvironmentFile=-\\?//p' "\$unit/\$name.service")
    if [ -n "\$environment" ]; then . "\$environment"; fi
    eval "setsid \$(sed -n 's/^ExecStart=//p' "\$unit/\$name.service") >>$folder/run/\$name.log 2>&1 </dev/null &"
    echo \$! >"\$pidfile"
    ;;
reload) kill -HUP "\$(cat "\$pidfile")" ;;
status) running ;;
*) echo "systemctl \$*: not known here" >&2; exit 1 ;;
esac
SHIM
chmod +x "$folder"/shims/*
export PATH=$folder/shims:/usr/local/bin:/usr/local/sbin:/usr/bin:/usr/sbin:/bin:/sbin NO_PROXY='*' HOME=$folder

finish() {
    for pidfile in "$folder"/run/*.pid; do
        [ -e "$pidfile" ] && kill "$(cat "$pidfile")" 2>/dev/null
    done
    true
}
trap finish EXIT

# The services of the guide's examples.
for port in 8080 8000; do
    setsid "$python" "$apps/http_server.py" "$port" >"$folder/run/web-$port.log" 2>&1 </dev/null &
    echo $! >"$folder/run/web-$port.pid"
done

ln -s "$apps/../../monitoring" "$folder/project/monitoring"
ln -s "$agent" "$folder/project/target/release/hippius-agent"
for block in "$folder"/blocks/*; do
    cd "$folder/project"
    echo "--- ${block##*/}"
    if ! timeout 60 bash -euo pipefail "$block" 2>&1; then
        echo "FAILED: ${block##*/}"
        cat "$block"
        tail -n 20 "$folder"/run/*.log
        exit 1
    fi
done
