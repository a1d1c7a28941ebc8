"""E-mail by SMTP: `email.send`."""
