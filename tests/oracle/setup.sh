#!/bin/bash
# Have a live libvirt to test against, and print the variables that name it.
#
#   sudo tests/oracle/setup.sh          libvirt of this machine (9.0 on Debian bookworm)
#   sudo tests/oracle/setup.sh DIR      that, and libvirt 11.3 of Debian trixie in a chroot in DIR
#
# May be run as often as you like: it does what is still missing. It goes on with a chroot
# that is already in DIR. Everything but the `export` lines goes to stderr, so:
#
#   eval "$(sudo tests/oracle/setup.sh /var/tmp/trixie)"
#   PCISIM_ORACLE_SEEDS=1000 python -m pytest -m oracle tests/oracle
#
# Nothing is ever booted, and neither KVM nor systemd is needed. The chroot takes about
# 2 GB, mostly QEMU. To be rid of it, in this order:
#
#   kill "$(cat DIR/run/libvirtd.pid)" "$(cat DIR/run/virtlogd.pid)"
#   umount DIR/run DIR/dev DIR/sys DIR/proc && rm -r --one-file-system DIR
set -euo pipefail

MIRROR=${PCISIM_DEBIAN_MIRROR:-http://deb.debian.org/debian}
PACKAGES=(libvirt-daemon-system libvirt-daemon-driver-qemu libvirt-clients python3-libvirt
    qemu-system-x86 qemu-system-arm qemu-system-ppc qemu-system-misc)
TRIXIE_PACKAGES=(qemu-system-riscv qemu-system-s390x) # bookworm has them in qemu-system-misc
# A daemon that runs as root otherwise asks QEMU about itself as another user, may not keep
# the answer, and asks again for every single definition: half a minute, not 5 ms.
SETTINGS=('user = "root"' 'group = "root"' 'dynamic_ownership = 0' 'security_driver = "none"')
WAIT=120 # seconds: the first start asks every QEMU binary about itself

say() { echo "setup: $*" >&2; }
die() {
    say "$*"
    exit 1
}

# inside ROOT COMMAND...: run a command in a root directory, "/" for this machine's own
inside() {
    local root=$1
    shift
    if [ "$root" = / ]; then
        env DEBIAN_FRONTEND=noninteractive "$@"
    else
        chroot "$root" env DEBIAN_FRONTEND=noninteractive PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"
    fi
}

# packages ROOT: what that system needs, a line each
packages() {
    printf '%s\n' "${PACKAGES[@]}"
    case $(cat "${1%/}/etc/debian_version") in
    12.*) ;;
    *) printf '%s\n' "${TRIXIE_PACKAGES[@]}" ;;
    esac
}

installed() {
    local package
    for package in $(packages "$1"); do
        inside "$1" dpkg-query -W -f='${Status}\n' "$package" 2>/dev/null | grep -qx 'install ok installed' || return 1
    done
}

install_packages() {
    installed "$1" && return
    say "installing libvirt and QEMU in $1"
    inside "$1" apt-get update -q >&2
    # shellcheck disable=SC2046 # a word each
    inside "$1" apt-get install -q -y --no-install-recommends $(packages "$1") >&2
}

configure() {
    local file=${1%/}/etc/libvirt/qemu.conf line
    for line in "${SETTINGS[@]}"; do
        grep -qxF "$line" "$file" || echo "$line" >>"$file"
    done
    # the default network wants rights and programs that no test needs
    rm -f "${1%/}/etc/libvirt/qemu/networks/autostart/default.xml"
}

answers() { inside "$1" timeout 100 virsh -q -c qemu:///system version >/dev/null 2>&1; }

# The daemons have to leave our stdin and stdout alone, or whoever reads them waits for ever.
start() {
    answers "$1" && return
    say "starting libvirtd in $1"
    inside "$1" sh -c 'mkdir -p /run/libvirt
        test -S /run/libvirt/virtlogd-sock || virtlogd -d -p /run/virtlogd.pid </dev/null >/dev/null 2>&1
        exec setsid libvirtd -d -p /run/libvirtd.pid </dev/null >/dev/null 2>&1' || die "libvirtd does not start in $1"
    local second
    for ((second = 0; second < WAIT; second++)); do
        answers "$1" && return
        sleep 1
    done
    die "libvirtd in $1 does not answer"
}

# check ROOT: define a domain, never start it, and see that it was given PCI addresses
check() {
    inside "$1" /usr/bin/python3 - >&2 <<'PY'
import libvirt

libvirt.registerErrorHandler(lambda *_: None, None)
connection = libvirt.open("qemu:///system")
domain = connection.defineXML(
    "<domain type='qemu'><name>pcisim-setup-check</name><memory>131072</memory>"
    "<os><type arch='x86_64' machine='q35'>hvm</type></os></domain>"
)
try:
    assert "model='pcie-root-port'" in domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
finally:
    domain.undefine()
number = connection.getLibVersion()
print(f"setup: libvirt {number // 1000000}.{number // 1000 % 1000}.{number % 1000} answers")
PY
}

make_chroot() {
    local dir=$1
    if [ ! -e "$dir/etc/debian_version" ]; then
        command -v debootstrap >/dev/null || {
            apt-get update -q >&2
            apt-get install -q -y debootstrap >&2
        }
        say "making a Debian trixie in $dir"
        debootstrap --variant=minbase trixie "$dir" "$MIRROR" >&2
    fi
    mountpoint -q "$dir/proc" || mount -t proc proc "$dir/proc"
    mountpoint -q "$dir/sys" || mount -t sysfs -o ro sysfs "$dir/sys"
    mountpoint -q "$dir/dev" || mount --bind /dev "$dir/dev"
    mountpoint -q "$dir/run" || mount -t tmpfs tmpfs "$dir/run" # its sockets must not be ours
    [ "$dir/etc/resolv.conf" -ef /etc/resolv.conf ] || cp -L /etc/resolv.conf "$dir/etc/resolv.conf"
    # packages that want to start their daemon while being installed are told no
    printf '#!/bin/sh\nexit 101\n' >"$dir/usr/sbin/policy-rc.d"
    chmod +x "$dir/usr/sbin/policy-rc.d"
}

# have ROOT: all the steps for one libvirt
have() {
    install_packages "$1"
    configure "$1"
    start "$1"
    check "$1"
}

# variable ROOT: the name of the variable for the libvirt in this root, nothing if it is another version
variable() {
    local version
    version=$(inside "$1" libvirtd --version)
    case ${version##* } in
    9.0.*) echo PCISIM_LIBVIRT_9_0 ;;
    11.3.*) echo PCISIM_LIBVIRT_11_3 ;;
    *) say "$version is neither 9.0 nor 11.3: the tests have no use for it" ;;
    esac
}

# announce ROOT URI: print the export line for it
announce() {
    local name
    name=$(variable "$1")
    [ -z "$name" ] || echo "export $name='$2'"
}

[ "$(id -u)" = 0 ] || die "has to run as root"
[ $# -le 1 ] || die "usage: $0 [DIR]"
have /
announce / qemu:///system
if [ $# = 1 ]; then
    mkdir -p "$1"
    dir=$(cd "$1" && pwd)
    make_chroot "$dir"
    have "$dir"
    announce "$dir" "qemu+unix:///system?socket=$dir/run/libvirt/libvirt-sock"
fi
