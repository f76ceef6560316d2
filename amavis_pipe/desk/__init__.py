"""What people and cron use: the commands, the trial form, notices. Cold."""
