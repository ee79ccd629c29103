#include "cli/command/validator_detection.h"

#include <filesystem>
#include <initializer_list>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "lib/base/error.h"
#include "lib/base/file.h"
#include "lib/base/resource_name.h"

namespace slipway::cli {
namespace {

using common::v1::Validator;

constexpr size_t kManifestBytesMax = 1 << 20;

bool Exists(const std::string& directory, absl::string_view name) {
  std::error_code error;
  return std::filesystem::exists(absl::StrCat(directory, "/", name), error);
}

bool Mentions(const std::string& directory, absl::string_view file, absl::string_view word) {
  const absl::StatusOr<std::string> text =
      base::ReadFile(absl::StrCat(directory, "/", file), kManifestBytesMax);
  return text.ok() && absl::StrContains(*text, word);
}

// Whether a directory holds Python tests by the naming that test runners share.
bool HasPythonTests(const std::string& directory) {
  std::error_code error;
  for (const char* const name : {"tests", "test", "."}) {
    const std::filesystem::path place = std::filesystem::path(directory) / name;
    for (std::filesystem::directory_iterator at(place, error), end; !error && at != end;
         at.increment(error)) {
      const std::string file = at->path().filename().string();
      if (at->path().extension() == ".py" && file.rfind("test_", 0) == 0) return true;
    }
  }
  return false;
}

Validator Make(const std::string& name, std::initializer_list<const char*> command,
               const std::string& output_format) {
  Validator validator;
  validator.set_name(name);
  for (const char* const word : command) validator.add_command(word);
  validator.set_output_format(output_format);
  return validator;
}

bool UsesPytest(const std::string& directory) {
  return Exists(directory, "pytest.ini") || Exists(directory, "conftest.py") ||
         Exists(directory, "tests/conftest.py") ||
         Mentions(directory, "pyproject.toml", "pytest") ||
         Mentions(directory, "setup.cfg", "pytest") ||
         Mentions(directory, "requirements.txt", "pytest") ||
         Mentions(directory, "requirements-dev.txt", "pytest");
}

absl::Status Invalid(absl::string_view text, absl::string_view why) {
  return base::Error(absl::StatusCode::kInvalidArgument, "ARGUMENT_INVALID",
                     absl::StrCat("'", text, "' is no validator: ", why),
                     {{"validator", std::string(text)}});
}

// The words of a command line; an error names what is not closed.
absl::StatusOr<std::vector<std::string>> Words(absl::string_view text) {
  std::vector<std::string> words;
  std::string word;
  bool in_word = false;
  char quote = '\0';
  for (const char c : text) {
    if (quote != '\0') {
      if (c == quote) {
        quote = '\0';
      } else {
        word.push_back(c);
      }
    } else if (c == '"' || c == '\'') {
      quote = c;
      in_word = true;
    } else if (c == ' ' || c == '\t') {
      if (in_word) words.push_back(std::move(word));
      word.clear();
      in_word = false;
    } else {
      word.push_back(c);
      in_word = true;
    }
  }
  if (quote != '\0') return Invalid(text, "a quote is not closed");
  if (in_word) words.push_back(std::move(word));
  return words;
}

}  // namespace

std::vector<Validator> DetectValidators(const std::string& directory) {
  std::vector<Validator> found;
  if (UsesPytest(directory)) {
    found.push_back(Make("pytest", {"python3", "-m", "pytest", "-q"}, "pytest"));
  } else if (HasPythonTests(directory)) {
    // Looks into packages below the directory, so tests/ needs its __init__.py.
    found.push_back(
        Exists(directory, "tests/__init__.py") || !Exists(directory, "tests")
            ? Make("unittest", {"python3", "-m", "unittest", "-q"}, "")
            : Make("unittest", {"python3", "-m", "unittest", "discover", "-q", "-s", "tests"}, ""));
  }
  if (Exists(directory, "CMakeLists.txt") &&
      (Mentions(directory, "CMakeLists.txt", "enable_testing") ||
       Mentions(directory, "CMakeLists.txt", "CTest"))) {
    found.push_back(Make("configure", {"cmake", "-S", ".", "-B", "build"}, ""));
    found.push_back(Make("build", {"cmake", "--build", "build"}, ""));
    found.push_back(
        Make("ctest", {"ctest", "--test-dir", "build", "--output-on-failure"}, "ctest"));
  }
  if (Mentions(directory, "package.json", "\"test\"")) {
    found.push_back(Make("npm-test", {"npm", "test", "--silent"}, "node"));
  }
  if (Exists(directory, "go.mod")) found.push_back(Make("go-test", {"go", "test", "./..."}, "go"));
  if (Exists(directory, "Cargo.toml")) {
    found.push_back(Make("cargo-test", {"cargo", "test", "--offline", "--quiet"}, ""));
  }
  return found;
}

absl::StatusOr<Validator> ParseValidator(absl::string_view text) {
  absl::string_view command = text;
  std::string name;
  const size_t equals = text.find('=');
  if (equals != absl::string_view::npos && base::IsValidId(text.substr(0, equals))) {
    name = std::string(text.substr(0, equals));
    command = text.substr(equals + 1);
  }
  const absl::StatusOr<std::vector<std::string>> words = Words(command);
  if (!words.ok()) return words.status();
  if (words->empty()) return Invalid(text, "it names no program");
  Validator validator;
  validator.set_name(name.empty() ? base::Slug(absl::StrJoin(*words, " "), 30) : name);
  for (const std::string& word : *words) validator.add_command(word);
  return validator;
}

std::string ValidatorText(const Validator& validator) {
  std::vector<std::string> words;
  for (const std::string& word : validator.command()) {
    words.push_back(word.find_first_of(" \t") == std::string::npos ? word
                                                                   : absl::StrCat("'", word, "'"));
  }
  return absl::StrCat(validator.name(), "=", absl::StrJoin(words, " "));
}

}  // namespace slipway::cli
