"""Where jobs run: the local pool of killable processes, how attempts are counted, when to try again."""
