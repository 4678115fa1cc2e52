#!/bin/sh
# Makes the base of both images in the folder $1 from Debian packages ($2: an architecture such as amd64):
# the C library, its helper, the certificates of public authorities, and a user that is not root.
# No shell, no package manager, no time zones: every timestamp is UTC. Needs apt-get and dpkg; run by the
# stage `base` of the Dockerfiles and by the test harness.
set -eu
root=$1
architecture=$2
debs=$(mktemp -d)
trap 'rm -rf "$debs"' EXIT

(
    cd "$debs"
    # As root, apt-get would hand the download to its own user, who may not write here.
    apt-get -o APT::Sandbox::User="$(id -un)" --quiet --quiet download \
        "libc6:$architecture" "libgcc-s1:$architecture" ca-certificates
)
for deb in "$debs"/*.deb; do dpkg -x "$deb" "$root"; done

# What `update-ca-certificates` would make on a machine with a shell.
mkdir -p "$root/etc/ssl/certs"
find "$root/usr/share/ca-certificates" -name '*.crt' | LC_ALL=C sort |
    xargs cat > "$root/etc/ssl/certs/ca-certificates.crt"

# Nothing in the image reads these.
rm -rf "$root/usr/share" "$root/usr/sbin" "$root/sbin" "$root/etc/ca-certificates" "$root/etc/ld.so.conf.d"
find "$root" -type d -name gconv -prune -exec rm -rf {} +

echo 'nonroot:x:65532:65532:nonroot:/:/nonexistent' > "$root/etc/passwd"
echo 'nonroot:x:65532:' > "$root/etc/group"
# Without it the C library asks no DNS server.
echo 'hosts: files dns' > "$root/etc/nsswitch.conf"
