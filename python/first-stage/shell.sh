# shellcheck shell=sh
# What a rescue shell reads when it starts ($ENV). busybox runs its own applets whatever PATH says, and its `reboot`
# asks an init that is not here: nothing would happen.
alias reboot=/usr/sbin/reboot
alias poweroff=/usr/sbin/poweroff
