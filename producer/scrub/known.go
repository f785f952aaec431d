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
	{prefix: "hooks.slack.com/services/", chars: segments, min: 16, keep: true},
	{prefix: "api.telegram.org/bot", chars: segments, min: 16, keep: true},
	{prefix: "discord.com/api/webhooks/", chars: segments, min: 16, keep: true},
}
