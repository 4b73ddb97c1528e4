# bash completion for h2sess-worker and h2sess-controld                            -*- shell-script -*-
#
# Flags, and what kind of argument each takes, are read from the program's own --help, so they are those of
# the program that is installed.

# _h2sess_argument HELP FLAG: the argument that FLAG takes, as the help names it ("FILE"); empty for none.
_h2sess_argument()
{
    sed -n "s/^ *$2 \([^ ]\{1,\}\).*/\1/p" <<<"$1" | head -n 1
}

_h2sess()
{
    local cur=${COMP_WORDS[COMP_CWORD]} flag=${COMP_WORDS[COMP_CWORD - 1]} program=$1 help argument words=
    help=$("$program" --help 2>/dev/null) || return

    # Readline splits --flag=value at the equals sign.
    [[ $cur == = ]] && cur=
    [[ $flag == = ]] && flag=${COMP_WORDS[COMP_CWORD - 2]}

    [[ $flag == --* ]] && argument=$(_h2sess_argument "$help" "$flag")
    case $argument in
        "")
            words=$(sed -n 's/^ *\(--[a-z0-9-]*\).*/\1/p' <<<"$help")
            ;;
        FILE | PATH*)
            compopt -o filenames
            mapfile -t COMPREPLY < <(compgen -f -- "$cur")
            return
            ;;
        DIR)
            compopt -o filenames
            mapfile -t COMPREPLY < <(compgen -d -- "$cur")
            return
            ;;
        USER)
            mapfile -t COMPREPLY < <(compgen -u -- "$cur")
            return
            ;;
        ROLE)
            words="read push admin"
            ;;
        NAME=VALUE)
            words=$(sed -n 's/^  \([a-z_]*_[a-z_]*\) .*/\1=/p' <<<"$help")
            compopt -o nospace
            ;;
        *"NAME[:CONFIG]")
            words="echo static:"
            compopt -o nospace
            ;;
        *\|*)
            words=${argument//|/ }
            ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}

complete -F _h2sess h2sess-worker h2sess-controld
