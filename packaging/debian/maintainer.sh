is_booted() { [ -d /run/systemd/system ]; }

# Services that run now, by whoever started them: only these are ended, and started again.
running_units() {
    systemctl list-units --plain --no-legend --state=active,activating,reloading @UNITS@ 2>/dev/null |
        while read -r unit rest; do echo "$unit"; done
}
