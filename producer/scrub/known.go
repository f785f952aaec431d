package scrub

// knownShapes lists the secrets that say what they are.
var knownShapes = [...]shape{
	{prefix: "AKIA", chars: base32, min: 16, exact: true}, // AWS access keys
	{prefix: "ASIA", chars: base32, min: 16, exact: true},
	{prefix: "ghp_", chars: alnum, min: 20}, // GitHub
	{prefix: "gho_", chars: alnum, min: 20},
	{prefix: "ghu_", chars: alnum, min: 20},
	{prefix: "ghs_", chars: alnum, min: 20},
	{prefix: "ghr_", chars: alnum, min: 20},
	{prefix: "github_pat_", chars: urlsafe, min: 20},
	{prefix: "glpat-", chars: dotted, min: 16}, // GitLab
	{prefix: "glptt-", chars: urlsafe, min: 16},
	{prefix: "gldt-", chars: urlsafe, min: 16},
	{prefix: "glrt-", chars: urlsafe, min: 16},
	{prefix: "glcbt-", chars: urlsafe, min: 16},
	{prefix: "xoxa-", chars: urlsafe, min: 10}, // Slack
	{prefix: "xoxb-", chars: urlsafe, min: 10},
	{prefix: "xoxe-", chars: urlsafe, min: 10},
	{prefix: "xoxe.", chars: dotted, min: 10},
	{prefix: "xoxo-", chars: urlsafe, min: 10},
	{prefix: "xoxp-", chars: urlsafe, min: 10},
	{prefix: "xoxr-", chars: urlsafe, min: 10},
	{prefix: "xoxs-", chars: urlsafe, min: 10},
	{prefix: "xapp-", chars: urlsafe, min: 10},
	{prefix: "sk_live_", chars: alnum, min: 10}, // Stripe
	{prefix: "sk_test_", chars: alnum, min: 10},
	{prefix: "rk_live_", chars: alnum, min: 10},
	{prefix: "rk_test_", chars: alnum, min: 10},
	{prefix: "whsec_", chars: alnum, min: 16},
	{prefix: "AIza", chars: urlsafe, min: 30}, // Google
	{prefix: "ya29.", chars: urlsafe, min: 20},
	{prefix: "GOCSPX-", chars: urlsafe, min: 20},
	{prefix: "sk-", chars: urlsafe, min: 20, random: true}, // OpenAI, Anthropic
	{prefix: "gsk_", chars: alnum, min: 20},                // Groq
	{prefix: "hf_", chars: alnum, min: 30},                 // Hugging Face
	{prefix: "r8_", chars: alnum, min: 30},                 // Replicate
	{prefix: "nvapi-", chars: urlsafe, min: 20},            // NVIDIA
	{prefix: "npm_", chars: alnum, min: 30},
	{prefix: "pypi-", chars: urlsafe, min: 40, random: true},
	{prefix: "rubygems_", chars: hexLower, min: 40},
	{prefix: "dckr_pat_", chars: urlsafe, min: 20},
	{prefix: "dop_v1_", chars: hexLower, min: 40}, // DigitalOcean
	{prefix: "hvs.", chars: urlsafe, min: 20},     // Vault
	{prefix: "hvb.", chars: urlsafe, min: 20},
	{prefix: "dapi", chars: hexLower, min: 32, exact: true}, // Databricks
	{prefix: "glsa_", chars: urlsafe, min: 20},              // Grafana
	{prefix: "pul-", chars: hexLower, min: 40, exact: true}, // Pulumi
	{prefix: "shpat_", chars: alnum, min: 32},               // Shopify
	{prefix: "shpss_", chars: alnum, min: 32},
	{prefix: "SG.", chars: dotted, min: 32, random: true}, // SendGrid
	{prefix: "tskey-", chars: urlsafe, min: 16},           // Tailscale
	{prefix: "NRAK-", chars: alnum, min: 20},              // New Relic
	{prefix: "ATATT3", chars: urlsafe, min: 20},           // Atlassian
	{prefix: "lin_api_", chars: alnum, min: 20},           // Linear
	{prefix: "figd_", chars: urlsafe, min: 20},            // Figma
	{prefix: "sntrys_", chars: urlsafe, min: 20},          // Sentry
	{prefix: "AGE-SECRET-KEY-1", chars: base32, min: 10},
	{prefix: "SU", chars: base32, min: 56, exact: true}, // NATS seeds
	{prefix: "SA", chars: base32, min: 56, exact: true},
	{prefix: "SO", chars: base32, min: 56, exact: true},
	{prefix: "SC", chars: base32, min: 56, exact: true},
	{prefix: "SX", chars: base32, min: 56, exact: true},
	{prefix: "SN", chars: base32, min: 56, exact: true},
	{prefix: "SP", chars: base32, min: 56, exact: true},
	{prefix: "sk-ant-", chars: urlsafe, min: 30},
	{prefix: "tfp_", chars: alnum, min: 40},
	{prefix: "APA91b", chars: urlsafe, min: 80, back: true},
	{prefix: "pk_live_", chars: alnum, min: 10},
	{prefix: "pk_test_", chars: alnum, min: 10},
	{prefix: "xoxc-", chars: urlsafe, min: 10}, // Slack
	{prefix: "xoxd-", chars: urlsafe, min: 10},
	{prefix: "sq0atp-", chars: urlsafe, min: 20}, // Square
	{prefix: "sq0csp-", chars: urlsafe, min: 20},
	{prefix: "EAAA", chars: urlsafe, min: 50, random: true},
	{prefix: "EAA", chars: alnum, min: 60}, // Facebook
	{prefix: "1//0", chars: urlsafe, min: 20},
	{prefix: "sk-or-v1-", chars: hexLower, min: 40}, // OpenRouter
	{prefix: "xai-", chars: alnum, min: 40},
	{prefix: "pplx-", chars: alnum, min: 40},
	{prefix: "tgp_v1_", chars: urlsafe, min: 30},
	{prefix: "pcsk_", chars: urlsafe, min: 30},
	{prefix: "api_org_", chars: alnum, min: 30},
	{prefix: "lsv2_pt_", chars: urlsafe, min: 30},
	{prefix: "lsv2_sk_", chars: urlsafe, min: 30},
	{prefix: "jina_", chars: alnum, min: 40},
	{prefix: "tvly-", chars: urlsafe, min: 24, random: true},
	{prefix: "rpa_", chars: alnum, min: 30},
	{prefix: "s.", chars: alnum, min: 24, exact: true, random: true}, // Vault
	{prefix: "hvr.", chars: urlsafe, min: 20},
	{prefix: "shppa_", chars: hexLower, min: 32},
	{prefix: "shpca_", chars: hexLower, min: 32},
	{prefix: "doo_v1_", chars: hexLower, min: 40},
	{prefix: "dor_v1_", chars: hexLower, min: 40},
	{prefix: "glc_", chars: alnum, min: 30}, // Grafana
	{prefix: "glsoat-", chars: urlsafe, min: 16},
	{prefix: "glft-", chars: urlsafe, min: 16},
	{prefix: "glimt-", chars: urlsafe, min: 16},
	{prefix: "glagent-", chars: urlsafe, min: 16},
	{prefix: "gloas-", chars: urlsafe, min: 16},
	{prefix: "glffct-", chars: urlsafe, min: 16},
	{prefix: "GR1348941", chars: urlsafe, min: 16},
	{prefix: "secret_", chars: urlsafe, min: 30, random: true}, // Notion
	{prefix: "ntn_", chars: alnum, min: 40},
	{prefix: "CFPAT-", chars: urlsafe, min: 30},             // Contentful
	{prefix: "key-", chars: hexLower, min: 32, exact: true}, // Mailgun
	{prefix: "pscale_pw_", chars: urlsafe, min: 20},         // PlanetScale
	{prefix: "pscale_tkn_", chars: urlsafe, min: 20},
	{prefix: "pscale_oauth_", chars: urlsafe, min: 20},
	{prefix: "dp.pt.", chars: urlsafe, min: 30}, // Doppler
	{prefix: "dp.st.", chars: dotted, min: 30},
	{prefix: "dp.ct.", chars: urlsafe, min: 30},
	{prefix: "rdme_", chars: alnum, min: 40},
	{prefix: "sgp_", chars: hexLower, min: 40},
	{prefix: "cio", chars: alnum, min: 32, exact: true, random: true},
	{prefix: "cio_", chars: alnum, min: 30},
	{prefix: "fio-u-", chars: urlsafe, min: 30},
	{prefix: "EZAK", chars: alnum, min: 50},
	{prefix: "EZTK", chars: alnum, min: 50},
	{prefix: "PMAK-", chars: urlsafe, min: 50},               // Postman
	{prefix: "atlasv1.", chars: dotted, min: 40, back: true}, // Terraform
	{prefix: "dckr_oat_", chars: urlsafe, min: 20},
	{prefix: "SWMTKN-1-", chars: urlsafe, min: 50}, // Docker Swarm
	{prefix: "SWMKEY-1-", chars: base64Chars, min: 30},
	{prefix: "AKCp", chars: alnum, min: 60}, // Artifactory
	{prefix: "cmVmdGtu", chars: alnum, min: 50},
	{prefix: "oy2", chars: alnum, min: 40, exact: false, random: true}, // NuGet
	{prefix: "v1.0-", chars: urlsafe, min: 100},
	{prefix: "v2.local.", chars: urlsafe, min: 40},
	{prefix: "v4.local.", chars: urlsafe, min: 40},
	{prefix: "ATBB", chars: alnum, min: 24},
	{prefix: "ATCTT3", chars: urlsafe, min: 20},
	{prefix: "LTAI", chars: alnum, min: 16, random: true}, // Alibaba
	{prefix: "NRII-", chars: urlsafe, min: 20},
	{prefix: "NRAL", chars: alnum, min: 30},
	{prefix: "sntryu_", chars: hexLower, min: 40},
	{prefix: "ops_eyJ", chars: alnum, min: 40}, // 1Password
	{prefix: "sbp_", chars: hexLower, min: 40}, // Supabase
	{prefix: "sb_secret_", chars: urlsafe, min: 20},
	{prefix: "nfp_", chars: alnum, min: 30},
	{prefix: "rnd_", chars: alnum, min: 24, random: true},
	{prefix: "phx_", chars: alnum, min: 40},
	{prefix: "phc_", chars: alnum, min: 40},
	{prefix: "fm2_", chars: base64Chars, min: 40}, // Fly
	{prefix: "bkua_", chars: hexLower, min: 30},
	{prefix: "xkeysib-", chars: urlsafe, min: 60},
	{prefix: "mlsn.", chars: alnum, min: 40},
	{prefix: "dt0c01.", chars: dotted, min: 60},
	{prefix: "CLOJARS_", chars: alnum, min: 40},
	{prefix: "lin_oauth_", chars: alnum, min: 20},
	{prefix: "amzn.mws.", chars: urlsafe, min: 30},
	{prefix: "FLWSECK", chars: urlsafe, min: 30},
	{prefix: "nsec1", chars: alnum, min: 50},
	{prefix: "xprv", chars: alnum, min: 90},
	{prefix: "hooks.slack.com/workflows/", chars: segments, min: 16, keep: true},
	{prefix: "hooks.slack.com/triggers/", chars: segments, min: 16, keep: true},
	{prefix: "discordapp.com/api/webhooks/", chars: segments, min: 16, keep: true},
	{prefix: "webhook.office.com/webhookb2/", chars: segments, min: 16, keep: true},
	{prefix: "hooks.slack.com/services/", chars: segments, min: 16, keep: true},
	{prefix: "api.telegram.org/bot", chars: segments, min: 16, keep: true},
	{prefix: "discord.com/api/webhooks/", chars: segments, min: 16, keep: true},
}
