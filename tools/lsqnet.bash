# Completion of lsqnet's command line in bash: what `lsqnet help` says, and files.
_lsqnet() {
  local word=${COMP_WORDS[COMP_CWORD]} command=${COMP_WORDS[1]} before=${COMP_WORDS[COMP_CWORD - 1]} help values
  COMPREPLY=()
  if [ "$COMP_CWORD" = 1 ] || { [ "$COMP_CWORD" = 2 ] && [ "$command" = help ]; }; then
    mapfile -t COMPREPLY < <(compgen -W "$("${COMP_WORDS[0]}" help | awk '/^  [a-z]+ /{print $1}') --version" -- "$word")
    return
  fi
  help=$("${COMP_WORDS[0]}" help "$command" 2>/dev/null) || return
  if [[ $word == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$(awk '$1 ~ /^-/{print $1}' <<<"$help")" -- "$word")
    return
  fi
  # an option whose value is one of several words says so: --dtype f32|f64
  values=$(awk -v name="$before" '$1 == name && $2 ~ /\|/{gsub(/\|/, " ", $2); print $2}' <<<"$help")
  if [ -n "$values" ]; then
    mapfile -t COMPREPLY < <(compgen -W "$values" -- "$word")
  elif [ "$command" = train ] && [ "$COMP_CWORD" = 2 ]; then
    values=$(sed -n '/TASK is one of/,/^$/p' <<<"$help" | tr ' ,.' '\n\n\n' | grep -E '^[a-z]+(_[a-z]+)*$')
    mapfile -t COMPREPLY < <(compgen -W "$values" -- "$word")
  elif [ "$command" = reproduce ] && [ "$COMP_CWORD" = 2 ]; then
    mapfile -t COMPREPLY < <(compgen -W "$("${COMP_WORDS[0]}" reproduce | awk '{print $1}') all" -- "$word")
  fi
}
complete -o default -F _lsqnet lsqnet
