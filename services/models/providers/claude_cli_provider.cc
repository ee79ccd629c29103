#include "services/models/providers/claude_cli_provider.h"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "absl/strings/str_cat.h"
#include "lib/base/file.h"
#include "lib/base/status_macros.h"
#include "lib/base/utf8.h"
#include "services/models/domain/errors.h"
#include "services/models/domain/limits.h"
#include "services/models/providers/claude_cli_reply.h"

namespace slipway::models {
namespace {

// Longer ones go into the prompt: the system bounds one argument at 128 KiB.
constexpr size_t kSystemPromptArgumentMax = 100u << 10;
constexpr size_t kLineBytesMax = 4 * kReplyBytesMax;

std::string SystemPrompt(const ProviderCall& call) {
  std::string system;
  for (const Message& message : call.messages) {
    if (message.speaker != Speaker::kSystem) continue;
    absl::StrAppend(&system, system.empty() ? "" : "\n\n", message.text);
  }
  return system;
}

std::string PromptText(const ProviderCall& call) {
  const std::string system = SystemPrompt(call);
  std::string prompt = system.size() > kSystemPromptArgumentMax ? system + "\n\n" : "";
  int turns = 0;
  for (const Message& message : call.messages) turns += message.speaker != Speaker::kSystem;
  for (const Message& message : call.messages) {
    if (message.speaker == Speaker::kSystem) continue;
    if (turns > 1) prompt += message.speaker == Speaker::kUser ? "User:\n" : "Assistant:\n";
    absl::StrAppend(&prompt, message.text, "\n\n");
  }
  if (!call.response_schema.empty()) {
    absl::StrAppend(&prompt, "Reply with one JSON value and nothing else. It must satisfy this ",
                    "JSON schema:\n", call.response_schema, "\n");
  }
  return prompt;
}

// A file in memory, so that a program that reads late blocks nobody.
absl::StatusOr<base::UniqueFd> InputOf(const std::string& text) {
  base::UniqueFd fd(memfd_create("prompt", MFD_CLOEXEC));
  if (!fd.valid()) return base::ErrnoStatus(errno, "memfd_create");
  for (size_t at = 0; at < text.size();) {
    const ssize_t written = write(fd.get(), text.data() + at, text.size() - at);
    if (written < 0 && errno != EINTR) return base::ErrnoStatus(errno, "write a prompt");
    if (written > 0) at += static_cast<size_t>(written);
  }
  if (lseek(fd.get(), 0, SEEK_SET) != 0) return base::ErrnoStatus(errno, "lseek a prompt");
  return fd;
}

}  // namespace

// One run of the program, on a thread that reads what it prints.
class ClaudeCliProvider::Exchange final : public ProviderExchange {
 public:
  Exchange(ClaudeCliProvider& provider, const ProviderCall& call, ProviderSink& sink)
      : provider_(provider),
        command_(provider.CommandFor(call)),
        prompt_(PromptText(call)),
        sink_(sink),
        abandoned_(eventfd(0, EFD_CLOEXEC)),
        thread_([this] { Run(); }) {}

  ~Exchange() override {
    const uint64_t one = 1;
    // Cannot fail: the counter is far from its end.
    if (write(abandoned_.get(), &one, sizeof(one)) < 0) std::abort();
    thread_.join();
  }

 private:
  enum class Read { kBytes, kEnd, kAbandoned, kIdle };

  void Run() {
    const absl::Status started = Spawn();
    if (!started.ok()) {
      return sink_.OnEnd({.kind = ProviderResult::Kind::kFailed,
                          .failure = FailureClass::kConfig,
                          .proof = Proof::kNotSent,
                          .reason = "PROGRAM_MISSING",
                          .detail = base::ToUtf8(started.message(), 300),
                          .whole_provider = true});
    }
    ClaudeCliReply reply;
    std::string buffer;
    Read read = Read::kBytes;
    while (read == Read::kBytes && buffer.size() <= kLineBytesMax) {
      read = ReadSome(buffer);
      for (size_t end; (end = buffer.find('\n')) != std::string::npos;) {
        const std::string text = reply.TakeLine(absl::string_view(buffer).substr(0, end));
        if (!text.empty()) sink_.OnText(text);
        buffer.erase(0, end + 1);
      }
    }
    process_.reset();  // Ends it, where it has not ended.
    if (read == Read::kAbandoned) return;
    ProviderResult result = reply.End(provider_.clock_.Now());
    if (read == Read::kIdle && result.kind == ProviderResult::Kind::kUnknown) {
      result.reason = "IDLE_TIMEOUT";
    }
    sink_.OnEnd(std::move(result));
  }

  absl::Status Spawn() {
    ASSIGN_OR_RETURN(const base::UniqueFd input, InputOf(prompt_));
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return base::ErrnoStatus(errno, "pipe");
    output_ = base::UniqueFd(ends[0]);
    const base::UniqueFd child_output(ends[1]);
    command_.fds = {{0, input.get()}, {1, child_output.get()}};
    ASSIGN_OR_RETURN(base::Process process, base::Process::Spawn(command_));
    process_ = std::make_unique<base::Process>(std::move(process));
    return absl::OkStatus();
  }

  Read ReadSome(std::string& buffer) {
    pollfd watched[2] = {{output_.get(), POLLIN, 0}, {abandoned_.get(), POLLIN, 0}};
    const int timeout =
        static_cast<int>(absl::ToInt64Milliseconds(provider_.options_.idle_timeout));
    const int ready = poll(watched, 2, timeout);
    if (ready < 0) return errno == EINTR ? Read::kBytes : Read::kEnd;
    if (ready == 0) return Read::kIdle;
    if (watched[1].revents != 0) return Read::kAbandoned;
    char bytes[16'384];
    const ssize_t size = read(output_.get(), bytes, sizeof(bytes));
    if (size < 0) return errno == EINTR ? Read::kBytes : Read::kEnd;
    buffer.append(bytes, static_cast<size_t>(size));
    return size == 0 ? Read::kEnd : Read::kBytes;
  }

  ClaudeCliProvider& provider_;
  base::Process::Options command_;
  const std::string prompt_;
  ProviderSink& sink_;
  const base::UniqueFd abandoned_;
  base::UniqueFd output_;
  std::unique_ptr<base::Process> process_;
  std::thread thread_;
};

absl::StatusOr<std::unique_ptr<ClaudeCliProvider>> ClaudeCliProvider::Make(Options options,
                                                                           base::Clock& clock) {
  const std::string who = absl::StrCat("provider ", options.name, ": ");
  if (options.subscription && !options.key.empty()) {
    return ConfigInvalid(absl::StrCat(
        who, "subscription is set, but an API key is billed by the token: set home instead"));
  }
  if (!options.subscription && !options.allow_paid) {
    return ConfigInvalid(absl::StrCat(who,
                                      "its calls may cost money: set allow_paid: true to allow "
                                      "that, or subscription: true where they are paid for"));
  }
  const char* temporary = std::getenv("TMPDIR");
  std::string directory =
      absl::StrCat(temporary == nullptr ? "/tmp" : temporary, "/slipway-claude-XXXXXX");
  if (mkdtemp(directory.data()) == nullptr) return base::ErrnoStatus(errno, "mkdtemp");
  return std::unique_ptr<ClaudeCliProvider>(
      new ClaudeCliProvider(std::move(options), std::move(directory), clock));
}

ClaudeCliProvider::~ClaudeCliProvider() {
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

base::Process::Options ClaudeCliProvider::CommandFor(const ProviderCall& call) const {
  base::Process::Options command = {
      .argv = {options_.program, "-p", "--output-format", "stream-json", "--verbose", "--max-turns",
               "1", "--tools", "", "--permission-mode", "dontAsk", "--no-session-persistence",
               "--model", call.model},
      .directory = directory_};
  // Without a key it needs its login, which it does not look for in its bare mode.
  if (!options_.key.empty()) command.argv.push_back("--bare");
  const std::string system = SystemPrompt(call);
  if (!system.empty() && system.size() <= kSystemPromptArgumentMax) {
    command.argv.insert(command.argv.end(), {"--system-prompt", system});
  }
  const char* path = std::getenv("PATH");
  command.env = {{"PATH", path == nullptr ? "/usr/local/bin:/usr/bin:/bin" : path},
                 {"HOME", options_.home.empty() ? directory_ : options_.home},
                 {"LANG", "C.UTF-8"},
                 {"DISABLE_AUTOUPDATER", "1"},
                 {"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1"},
                 {"CLAUDE_CODE_MAX_RETRIES", "0"},
                 {"CLAUDE_CODE_MAX_OUTPUT_TOKENS", absl::StrCat(call.output_tokens_max)}};
  if (!options_.key.empty()) command.env["ANTHROPIC_API_KEY"] = options_.key;
  return command;
}

std::unique_ptr<ProviderExchange> ClaudeCliProvider::Start(const ProviderCall& call,
                                                           ProviderSink& sink) {
  return std::make_unique<Exchange>(*this, call, sink);
}

}  // namespace slipway::models
