#include "lib/policy/secret_scanner.h"

#include <iterator>

namespace slipway::policy {
namespace {

constexpr SecretRule kSecretRules[] = {
    {"private-key", {"private key-----"}, R"(-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----)"},
    {"pgp-private-key", {"pgp private"}, R"(-----BEGIN PGP PRIVATE KEY BLOCK-----)"},
    {"putty-key", {"putty-user-key-file"}, R"(PuTTY-User-Key-File-\d)"},
    {"age-key", {"age-secret-key-"}, R"(\b(AGE-SECRET-KEY-1[0-9A-Z]{58})\b)"},
    {"aws-access-key",
     {"akia", "asia", "abia", "acca"},
     R"(\b((?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16})\b)",
     3.0},
    {"aws-secret-key",
     {"aws"},
     R"re((?i)aws.{0,30}(?:secret|key).{0,20}[=:]\s*["']?([A-Za-z0-9/+]{40})(?:["'\s]|$))re",
     4.0},
    {"github-token",
     {"ghp_", "gho_", "ghu_", "ghs_", "ghr_"},
     R"(\b(gh[pousr]_[0-9A-Za-z]{36,255})\b)",
     3.0},
    {"github-fine-grained", {"github_pat_"}, R"(\b(github_pat_\w{82})\b)", 3.0},
    {"gitlab-token",
     {"glpat-", "gldt-", "glrt-", "glptt-", "glcbt-"},
     R"(\b(gl(?:pat|dt|rt|ptt|cbt)-[\w-]{20,64})\b)",
     3.0},
    {"gitea-token", {"gitea"}, R"re((?i)gitea.{0,30}["'\s=:]([0-9a-f]{40})\b)re", 3.0},
    {"slack-token",
     {"xoxb-", "xoxp-", "xoxa-", "xoxr-", "xoxs-", "xapp-"},
     R"(\b((?:xox[abprs]|xapp)-[0-9A-Za-z-]{10,250})\b)",
     2.5},
    {"slack-webhook",
     {"hooks.slack.com"},
     R"((https://hooks\.slack\.com/(?:services|workflows)/[A-Za-z0-9+/]{40,60}))"},
    {"discord-webhook",
     {"discord"},
     R"((https://discord(?:app)?\.com/api/webhooks/\d{17,20}/[\w-]{60,80}))"},
    {"stripe-key",
     {"sk_live_", "rk_live_", "sk_test_"},
     R"(\b((?:sk|rk)_(?:live|test)_[0-9A-Za-z]{20,200})\b)",
     3.0},
    {"openai-key", {"sk-"}, R"(\b(sk-(?:proj-|svcacct-|admin-)?[A-Za-z0-9_-]{32,200})\b)", 3.5},
    {"anthropic-key", {"sk-ant-"}, R"(\b(sk-ant-[A-Za-z0-9_-]{40,200}))", 3.5},
    {"google-api-key", {"aiza"}, R"(\b(AIza[\w-]{35})\b)", 3.5},
    {"google-oauth-secret", {"gocspx-"}, R"(\b(GOCSPX-[\w-]{28})\b)", 3.0},
    {"google-service-account",
     {"private_key_id"},
     R"re("private_key_id"\s*:\s*"([0-9a-f]{40})")re",
     3.0},
    {"huggingface-token", {"hf_"}, R"(\b(hf_[A-Za-z]{34})\b)", 3.0},
    {"npm-token", {"npm_"}, R"(\b(npm_[A-Za-z0-9]{36})\b)", 3.0},
    {"pypi-token", {"pypi-ageichlwas5vcmc"}, R"(\b(pypi-AgEIcHlwaS5vcmc[\w-]{50,1000}))", 3.0},
    {"rubygems-token", {"rubygems_"}, R"(\b(rubygems_[a-f0-9]{48})\b)", 3.0},
    {"crates-token", {"cio"}, R"(\b(cio[A-Za-z0-9]{32})\b)", 3.8},
    {"docker-token", {"dckr_pat_"}, R"(\b(dckr_pat_[\w-]{27,40})\b)", 3.0},
    {"sendgrid-key", {"sg."}, R"(\b(SG\.[\w-]{22}\.[\w-]{43})\b)", 3.5},
    {"mailgun-key", {"key-"}, R"(\b(key-[0-9a-f]{32})\b)", 3.0},
    {"twilio-key", {"sk"}, R"(\b(SK[0-9a-f]{32})\b)", 3.0},
    {"telegram-token", {":aa"}, R"(\b(\d{8,10}:AA[\w-]{33})\b)", 3.5},
    {"digitalocean-token",
     {"dop_v1_", "doo_v1_", "dor_v1_"},
     R"(\b(do[opr]_v1_[a-f0-9]{64})\b)",
     3.0},
    {"hashicorp-vault-token", {"hvs.", "hvb."}, R"(\b(hv[sb]\.[\w-]{24,300})\b)", 3.5},
    {"terraform-token", {".atlasv1."}, R"(\b([A-Za-z0-9]{14}\.atlasv1\.[\w-]{60,70}))", 3.5},
    {"databricks-token", {"dapi"}, R"(\b(dapi[a-f0-9]{32}(?:-\d)?)\b)", 3.0},
    {"shopify-token",
     {"shpat_", "shpca_", "shppa_", "shpss_"},
     R"(\b(shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32})\b)",
     3.0},
    {"linear-key", {"lin_api_"}, R"(\b(lin_api_[A-Za-z0-9]{40})\b)", 3.0},
    {"azure-storage-key", {"accountkey="}, R"((?i)AccountKey=([A-Za-z0-9+/]{86}==))", 4.0},
    {"jwt",
     {"eyj"},
     R"(\b(eyJ[A-Za-z0-9_-]{15,}\.eyJ[A-Za-z0-9_-]{15,}\.[A-Za-z0-9_-]{20,}))",
     4.0},
    {"url-password",
     {"://"},
     R"re((?i)\b(?:postgres(?:ql)?|mysql|mongodb(?:\+srv)?|redis|amqps?|https?|ftp|ssh)://)re"
     R"re([^\s:/@"']{1,64}:([^\s:/@"'{}$<>]{6,128})@)re",
     2.5},
    {"generic-secret",
     {"secret", "token", "passw", "api_key", "apikey", "api-key", "credential", "private_key"},
     R"re((?i)(?:secret|token|passw(?:or)?d|api[_-]?key|credential|private_key)[\w-]{0,20}["']?)re"
     R"re(\s*(?::=|=>|=|:)\s*["']([A-Za-z0-9+/_=.~-]{16,200})["'])re",
     3.7},
};

}  // namespace

const std::vector<SecretRule>& SecretRules() {
  static const std::vector<SecretRule>& rules =
      *new std::vector<SecretRule>(std::begin(kSecretRules), std::end(kSecretRules));
  return rules;
}

}  // namespace slipway::policy
