#!/bin/sh
# The first process of the guest: mounts what programs expect, runs /t/job, and switches off.
# The job's output goes to a serial port of its own, the kernel's words stay on the console.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TMPDIR=/tmp
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/shm /run
mount -t tmpfs tmp /tmp
mount -t tmpfs shm /dev/shm
mount -t bpf bpf /sys/fs/bpf
mount -t securityfs security /sys/kernel/security
ip link set lo up
exec </dev/null >"/dev/$HIPPIUS_OUTPUT" 2>&1
echo "@boot $(uname -r)"
cd /t
(. /t/job)
echo "@done"
# The port is slow: what was written must be out before the power goes.
sleep 1
echo o >/proc/sysrq-trigger
sleep 100
