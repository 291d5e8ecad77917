/* completion.c -- a script for bash, made of the tables of commands. It offers
 * file names only where a file is meant. */

#include <stdio.h>
#include <string.h>

#include "loactl/ctl.h"

/* The verbs of a group, which may span two tables. */
static void verbs_of(const char *group)
{
    printf("    %s) words=\"", group);
    for (size_t t = 0; ctl_tables[t] != NULL; t++)
        for (const struct command *m = ctl_tables[t]; m->group != NULL; m++)
            if (strcmp(m->group, group) == 0 && m->verb[0] != '\0')
                printf("%s ", m->verb);
    printf("\" ;;\n");
}

/* Named twice, a group is offered once: the shell takes out doubles. */
static void each_group(void (*print)(const char *group))
{
    for (size_t t = 0; ctl_tables[t] != NULL; t++) {
        const char *last = "";
        for (const struct command *m = ctl_tables[t]; m->group != NULL; m++) {
            if (strcmp(last, m->group) != 0)
                print(m->group);
            last = m->group;
        }
    }
}

static void group_word(const char *group)
{
    printf(" %s", group);
}

/* What stands after an option: files, words, or something that nobody can
 * guess. */
static void option_value(const struct option_def *o)
{
    if (o->arg == NULL)
        return;
    if (strcmp(o->arg, "FILE") == 0)
        printf("    --%s) files=1; value=1 ;;\n", o->name);
    else if (strcmp(o->name, "lang") == 0)
        printf("    --lang) words=\"vi en\"; value=1 ;;\n");
    else if (strcmp(o->name, "class") == 0)
        printf("    --class) words=\"normal priority\"; value=1 ;;\n");
    else
        printf("    --%s) value=1 ;;\n", o->name);
}

static void option_values(void)
{
    printf("  case ${COMP_WORDS[COMP_CWORD-1]} in\n");
    for (const struct option_def *o = ctl_globals; o->name != NULL; o++)
        option_value(o);
    for (size_t t = 0; ctl_tables[t] != NULL; t++)
        for (const struct command *m = ctl_tables[t]; m->group != NULL; m++)
            for (const struct option_def *o = m->options;
                 o != NULL && o->name != NULL; o++)
                option_value(o);
    printf("  esac\n");
}

static void options_of(const struct option_def *o)
{
    for (; o != NULL && o->name != NULL; o++)
        printf("--%s ", o->name);
}

static void commands(void)
{
    for (size_t t = 0; ctl_tables[t] != NULL; t++)
        for (const struct command *m = ctl_tables[t]; m->group != NULL; m++) {
            /* The group alone is the command, and its verb an argument. */
            printf("    \"%s %s\"%s) own=\"", m->group, m->verb,
                   m->verb[0] == '\0' ? "*" : "");
            options_of(m->options);
            printf("\"%s ;;\n",
                   strstr(m->args, "FILE") != NULL ? "; files=1" : "");
        }
}

/* Which words before the cursor are the group and the verb. */
static void find_words(void)
{
    printf(
        "  for ((i = 1; i < COMP_CWORD; i++)); do w=${COMP_WORDS[i]}\n"
        "    case $w in ");
    for (const struct option_def *o = ctl_globals; o->name != NULL; o++)
        if (o->arg != NULL)
            printf("%s--%s", o == ctl_globals ? "" : "|", o->name);
    printf(
        ") ((i++)) ;; -*) ;;\n"
        "      *) if [ -z \"$group\" ]; then group=$w;"
        " elif [ -z \"$verb\" ]; then verb=$w; fi ;; esac\n"
        "  done\n");
}

int completion_print(void)
{
    printf(
        "# bash completion of loactl: source <(loactl completion bash)\n"
        "_loactl() {\n"
        "  local cur=${COMP_WORDS[COMP_CWORD]} words= own= group= verb= w i\n"
        "  local files= value=\n");
    find_words();
    option_values();
    printf(
        "  if [ -z \"$value\" ]; then\n"
        "  if [ -z \"$group\" ]; then words=\"completion");
    each_group(group_word);
    printf(
        "\"\n  elif [ -z \"$verb\" ]; then case $group in\n"
        "    completion) words=bash ;;\n");
    each_group(verbs_of);
    printf("    esac\n  fi\n  case \"$group $verb\" in\n");
    commands();
    printf("  esac\n  [[ $cur == -* ]] && words=\"$own ");
    options_of(ctl_globals);
    printf(
        "\"\n  fi\n  COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
        "  [[ -z $files || ( $cur == -* && -z $value ) ]] ||"
        " COMPREPLY+=($(compgen -f -- \"$cur\"))\n}\n"
        "complete -F _loactl loactl\n");
    return CTL_OK;
}
