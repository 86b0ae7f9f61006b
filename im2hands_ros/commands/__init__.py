"""One file per subcommand of `im2hands`; no algorithm lives here."""
