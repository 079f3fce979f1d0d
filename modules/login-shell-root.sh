# shellcheck shell=sh
# The half of the login shell that runs as root. Given: CHAINBOOT, ENV, PROGRAMS (a PATH), ROLE.
#
# Called by whoever may call it, so it takes what sshd gives a login shell, nothing or `-c WORDS`, and no option that
# could widen the role. The environment is made anew, whatever sudo let through.
set -u

case $# in
0) set -- ;;
2)
	if [ "$1" != -c ]; then
		echo "chainboot: this login shell takes no options" >&2
		exit 2
	fi
	# In one word, so that nothing in it is taken for an option.
	set -- "-c$2"
	;;
*)
	echo "chainboot: this login shell takes no options" >&2
	exit 2
	;;
esac

exec "$ENV" -i \
	PATH="$PROGRAMS" \
	${SUDO_USER+"SUDO_USER=$SUDO_USER"} \
	${TERM+"TERM=$TERM"} \
	${SSH_CONNECTION+"SSH_CONNECTION=$SSH_CONNECTION"} \
	${SSH_CLIENT+"SSH_CLIENT=$SSH_CLIENT"} \
	${SSH_ORIGINAL_COMMAND+"SSH_ORIGINAL_COMMAND=$SSH_ORIGINAL_COMMAND"} \
	"$CHAINBOOT" login-shell --role "$ROLE" "$@"
