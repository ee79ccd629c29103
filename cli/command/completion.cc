#include "cli/command/completion.h"

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace slipway::cli {
namespace {

std::vector<std::string> WordsOf(const CLI::App& app) {
  std::vector<std::string> words;
  for (const CLI::App* const command : app.get_subcommands({}))
    words.push_back(command->get_name());
  for (const CLI::Option* const option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) words.push_back(absl::StrCat("--", name));
  }
  return words;
}

// One case of the script for each command: "budget set) words=...".
void AddCases(const CLI::App& app, const std::string& path, std::string& script) {
  absl::StrAppend(&script, "    '", path, "') words='", absl::StrJoin(WordsOf(app), " "), "' ;;\n");
  for (const CLI::App* const command : app.get_subcommands({})) {
    AddCases(*command,
             path.empty() ? command->get_name() : absl::StrCat(path, " ", command->get_name()),
             script);
  }
}

}  // namespace

std::string BashCompletion(const CLI::App& app) {
  std::string script =
      "# Completion of slipway for bash: source <(slipway completion bash)\n"
      "_slipway() {\n"
      "  local word path='' words='' i\n"
      "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
      "    word=${COMP_WORDS[i]}\n"
      "    if [[ $word == [a-z]* ]] && _slipway_words \"${path:+$path }$word\"; then\n"
      "      path=${path:+$path }$word\n"
      "    fi\n"
      "  done\n"
      "  _slipway_words \"$path\"\n"
      "  if [[ ${COMP_WORDS[COMP_CWORD]} != -* && $words == --* ]]; then\n"
      "    COMPREPLY=($(compgen -f -- \"${COMP_WORDS[COMP_CWORD]}\"))\n"
      "  else\n"
      "    COMPREPLY=($(compgen -W \"$words\" -- \"${COMP_WORDS[COMP_CWORD]}\"))\n"
      "  fi\n"
      "}\n"
      "_slipway_words() {\n"
      "  case $1 in\n";
  AddCases(app, "", script);
  absl::StrAppend(&script,
                  "    *) return 1 ;;\n"
                  "  esac\n"
                  "}\n"
                  "complete -o filenames -F _slipway slipway\n");
  return script;
}

void AddCompletionCommand(CommandSet& commands, CLI::App& app) {
  const auto shell = std::make_shared<std::string>();
  CLI::App& command =
      commands.Add("completion", "Print a completion script for a shell",
                   [&app, shell](Invocation& invocation) -> absl::StatusOr<ExitCode> {
                     invocation.output().Print(BashCompletion(app));
                     return ExitCode::kOk;
                   });
  command.add_option("SHELL", *shell, "bash")->required()->check(CLI::IsMember({"bash"}));
}

}  // namespace slipway::cli
