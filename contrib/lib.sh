# Shared by contrib/try and contrib/test, which source it: what they need, said, then installed.
# The caller sets: checkout (the folder above contrib), PACKAGES (Debian's), EXTRA (of pyproject).
# shellcheck shell=sh disable=SC2153,SC2154

set -eu
umask 022 # the filter's user must be able to read what is installed here
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH

POLICY=/usr/sbin/policy-rc.d
POLICY_MARK='# written by amavis-pipe while it installs packages'
POLICY_TEXT="#!/bin/sh
$POLICY_MARK
exit 101"

say() { printf '%s\n' "$*"; }
fail() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 2
}

# What is missing is installed and what is stale renewed; afterwards $venv/bin/python runs.
prepare() {
    temporary='' holding=''
    trap tidy EXIT
    trap 'exit 130' INT
    trap 'exit 143' HUP TERM
    choose_venv
    missing=$(missing_packages)
    stamp=$(dependencies_stamp)
    say_plan
    [ -z "$missing" ] || install_packages
    fill_venv
}

tidy() {
    release_services
    [ -z "$temporary" ] || rm -rf "$temporary"
}

make_temporary() { # sets temporary: a folder that goes when the script ends
    [ -n "$temporary" ] || temporary=$(mktemp -d "${TMPDIR:-/tmp}/amavis-pipe.XXXXXX")
}

choose_venv() {
    if [ -n "${AMAVIS_PIPE_VENV:-}" ]; then
        venv=$AMAVIS_PIPE_VENV
    elif [ "$(id -u)" = 0 ]; then
        venv=/opt/amavis-pipe-try
    else
        venv=${XDG_CACHE_HOME:-$HOME/.cache}/amavis-pipe/venv
    fi
}

say_plan() {
    if [ -n "$missing" ]; then
        say "Installs by apt-get:$missing (no service is started)"
        [ "$(id -u)" = 0 ] || fail "that wants root"
    fi
    has_dependencies || say "Installs by pip, into $venv: amavis-pipe's dependencies$EXTRA"
    has_package || say "Installs into $venv: amavis-pipe from $checkout"
}

# --- Debian packages ------------------------------------------------------------------------------

missing_packages() {
    command -v dpkg-query >/dev/null || fail "this is for Debian 12; elsewhere see README.rst"
    for package in $PACKAGES; do
        # shellcheck disable=SC2016 # dpkg-query's own variable
        status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) || status=none
        [ "$status" = installed ] || printf ' %s' "$package"
    done
}

install_packages() {
    DEBIAN_FRONTEND=noninteractive
    export DEBIAN_FRONTEND
    hold_services
    case $missing in *" postfix"*)
        # Only the programs are wanted: no system-wide Postfix is configured.
        say "postfix postfix/main_mailer_type select No configuration" | debconf-set-selections
        ;;
    esac
    make_temporary
    log=$temporary/apt.log
    get --download-only install >/dev/null 2>&1 || apt-get -q update >"$log" 2>&1 || show_log
    get install >"$log" 2>&1 || show_log
    release_services
}

show_log() {
    cat "$log" >&2
    fail "apt-get failed: see above"
}

get() { # WORDS: apt-get for the missing packages
    # shellcheck disable=SC2086 # a list of names
    apt-get -q -y -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 --no-install-recommends "$@" $missing
}

# An existing policy-rc.d is somebody's decision: it stays, and must be one that starts nothing.
hold_services() {
    if [ -f "$POLICY" ] && grep -qxF "$POLICY_MARK" "$POLICY"; then
        holding=yes # left by a run that was killed
    elif [ -e "$POLICY" ] || [ -L "$POLICY" ]; then
        status=0
        "$POLICY" clamav-daemon start >/dev/null 2>&1 || status=$?
        [ "$status" = 101 ] || fail "$POLICY would let services start: move it away, please"
    else
        holding=yes
        printf '%s\n' "$POLICY_TEXT" >"$POLICY"
        chmod 755 "$POLICY"
    fi
}

release_services() {
    [ -z "$holding" ] || rm -f "$POLICY"
    holding=''
}

# --- The virtual environment ----------------------------------------------------------------------
# Two stamps in it: .dependencies-EXTRA and .package, each the digest of what it was made from.

dependencies_stamp() {
    {
        cat "$checkout/pyproject.toml"
        readlink -f /usr/bin/python3 || :
    } | sha256sum
}

package_stamp() { # of all files that are installed
    (
        cd "$checkout"
        find pyproject.toml amavis_pipe -type f ! -name '*.pyc' -exec sha256sum {} + |
            LC_ALL=C sort | sha256sum
    )
}

stamped() { [ "$(cat "$venv/$1" 2>/dev/null)" = "$2" ]; } # NAME DIGEST

has_dependencies() { # the larger set will do, too
    runs && { stamped .dependencies "$stamp$EXTRA" || stamped .dependencies "${stamp}[test]"; }
}

has_package() { runs && stamped .package "$(package_stamp)"; }

runs() { [ -x "$venv/bin/python" ] && "$venv/bin/python" -I -c '' 2>/dev/null; }

pip() {
    "$venv/bin/python" -m pip --quiet --disable-pip-version-check --no-input "$@" ||
        fail "pip failed: see above"
}

fill_venv() {
    if ! runs; then
        mkdir -p "$venv"
        /usr/bin/python3 -m venv --clear "$venv" || fail "no virtual environment in $venv"
    fi
    if ! has_dependencies; then
        pip install "setuptools>=66" wheel
        rm -f "$venv/.package"
        install_package "$EXTRA"
        say "$stamp$EXTRA" >"$venv/.dependencies"
    elif ! has_package; then
        install_package '' --no-deps --force-reinstall
    fi
}

# Built from a copy: setuptools leaves a build folder where it works, and takes old modules from it.
install_package() { # EXTRA PIP-OPTIONS...
    digest=$(package_stamp)
    make_temporary
    mkdir "$temporary/source"
    (
        cd "$checkout"
        cp -R pyproject.toml amavis_pipe "$temporary/source"
        cp README.rst "$temporary/source" 2>/dev/null || : >"$temporary/source/README.rst"
    )
    extra=$1
    shift
    pip install --no-build-isolation "$@" "$temporary/source$extra"
    say "$digest" >"$venv/.package"
}
