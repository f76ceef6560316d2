"""Which option of ours stands for a plain variable of amavisd.conf, and which need none or stand elsewhere.

The option tables name amavisd's variables, too (`Option.amavis`); what stands here wants more than the value
as it is, or is an option by several names.
"""

import re

PLAIN = {
    "$path": ("path",),
    "$recipient_delimiter": ("recipient_delimiter",),
    "$X_HEADER_TAG": ("headers.tag",),
    "$X_HEADER_LINE": ("headers.line",),
    "$remove_existing_x_scanned_headers": ("headers.remove_foreign",),
    "$MAXLEVELS": ("limits.depth",),
    "$MAXFILES": ("limits.files",),
    "$MIN_EXPANSION_QUOTA": ("limits.min_quota",),
    "$MAX_EXPANSION_QUOTA": ("limits.max_quota",),
    "$MIN_EXPANSION_FACTOR": ("limits.min_factor",),
    "$MAX_EXPANSION_FACTOR": ("limits.max_factor",),
    "$child_timeout": ("limits.hard_seconds",),
    "$forward_method": ("forward",),
    "$notify_method": ("notify",),
    "$final_virus_destiny": ("infected.action",),
    "$final_banned_destiny": ("banned.action",),
    "$final_unchecked_destiny": ("unchecked.action",),
    "$final_spam_destiny": ("spam.action",),
    "$final_bad_header_destiny": ("bad-header.action",),
    "$warnvirussender": ("infected.notify_sender",),
    "$warnbannedsender": ("banned.notify_sender",),
    "$warnspamsender": ("spam.notify_sender",),
    "$warnbadhsender": ("bad-header.notify_sender",),
    "$warnvirusrecip": ("infected.notify_recipients",),
    "$warnbannedrecip": ("banned.notify_recipients",),
    "$warnbadhrecip": ("bad-header.notify_recipients",),
    "$addr_extension_virus": ("infected.extension",),
    "$addr_extension_banned": ("banned.extension",),
    "$addr_extension_spam": ("spam.extension",),
    "$addr_extension_bad_header": ("bad-header.extension",),
    "$sa_tag_level_deflt": ("spam.tag",),
    "$sa_tag2_level_deflt": ("spam.required", "spam.tag2"),
    "$sa_kill_level_deflt": ("spam.kill",),
    "$sa_quarantine_cutoff_level": ("spam.quarantine_cutoff",),
    "$sa_dsn_cutoff_level": ("spam.notice_cutoff",),
    "$sa_mail_body_size_limit": ("spam.max_size",),
    "$sa_timeout": ("spam.timeout",),
}
"""By variable: the option, under each name that it may have; the first that there is counts."""

ALIASES = {
    "$mailfrom_notify_admin": "$mailfrom",
    "$mailfrom_notify_recip": "$mailfrom",
    "$mailfrom_notify_sender": "$mailfrom",
    "$mailfrom_notify_spamadmin": "$mailfrom",
}
"""Variables for which the same option stands as for another."""

CATEGORIES = {
    "virus": "infected",
    "banned": "banned",
    "banned_files": "banned",
    "unchecked": "unchecked",
    "spam": "spam",
    "bad_header": "bad-header",
    "header": "bad-header",
    "clean": "clean",
    "archive": "clean",
}
"""amavisd's words for categories in the names of its variables."""
CONTENTS = {
    "CC_VIRUS": "infected",
    "CC_BANNED": "banned",
    "CC_UNCHECKED": "unchecked",
    "CC_SPAM": "spam",
    "CC_BADH": "bad-header",
    "CC_OVERSIZED": "oversized",
    "CC_CLEAN": "clean",
}
"""… and as keys of %final_destiny_by_ccat."""

BY_HAND = frozenset(
    (
        "$QUARANTINEDIR",
        "$MYHOME",
        "$virus_admin",
        "$spam_admin",
        "$banned_admin",
        *(f"${word}_quarantine_to" for word in CATEGORIES),
        "$final_destiny_by_ccat",
        "$bypass_decode_parts",
    )
)
"""Variables that the option tables name, and that are not carried over as they are."""

_ENTRY = "of the filter's entry in master.cf"
_LISTEN = (
    "nothing listens here: Postfix starts the filter; take content_filter = …:10024 out of main.cf and "
    "master.cf"
)
_MAP = "a [[map]] gets entries by any command, `config refresh` runs it"
_SPAMD = "it is the spam checker's own setting"
_UNCHANGED = "mail is passed as it came, its content is never changed"
_DKIM = "let OpenDKIM or rspamd do it, in Postfix, before or behind the filter"
ELSEWHERE = {
    r"\$max_servers": f"maxproc {_ENTRY} (setup install --maxproc)",
    r"\$daemon_(user|group)|@daemon_groups": f"user= {_ENTRY} (setup install --user)",
    r"\$(inet_socket_port|inet_socket_bind|unix_socketname|protocol)|@(inet_acl|listen_sockets)": _LISTEN,
    r"%interface_policy|@(client_ipaddr_policy|virus_name_to_policy_bank_maps|author_to_policy_bank_maps)": (
        "write [[client]] tables for what such mail has otherwise"
    ),
    r"\$smtpd_message_size_limit": "message_size_limit in main.cf",
    r"\$soft_bounce": f"-o soft_bounce=yes {_ENTRY}",
    r"@sa_user(conf|name)_maps": "spam.users",
    r"%banned_rules|@banned_filename_maps": "write [[banned_rule]] tables, and name them in banned_rules",
    r"@(lookup|storage)_sql_dsn|\$(enable_ldap|default_ldap|ldap_.*|sql_.*)|%sql_clause": _MAP,
    r"\$sa_(local_tests_only|debug|configpath|siteconfigpath|spawned|auto_whitelist|spam_report_header)"
    r"|@sa_debug_fac|\$dspam|@spam_scanners": _SPAMD,
    r"\$(enable_dkim_\w+|dkim_\w+|reputation_factor|myauthservid)|@(dkim_\w+|signer_reputation_maps)|%dkim_\w+"
    r"|%signed_header_fields": _DKIM,
    r"\$notify_\w+_templ|@notify_\w+_templ_maps": "write templates of ours, in notices.folder",
    r"\$(always_bcc|dsn_bcc)": "always_bcc in main.cf",
    r"\$(release|requeue|resend)_method|\$(release|report)_format": "`quarantine release` goes by `forward`",
    r"\$penpals_\w+|\$sql_lookups_no_at_means_domain": (
        "no such score is kept; the checker's own history does it"
    ),
    r"\$hdrfrom_notify_\w+": "`sender` is the only address of notices",
    r"\$warn_offsite": "senders are told nowhere but where notify_sender says so",
    r"\$localpart_is_case_sensitive": "addresses are compared without case",
    r"\$bypass_decode_parts": "mail is always taken apart; mail_scan says what scanners see besides",
}
"""Variables (expressions for their names) that have to be seen to by hand: where, or why not."""

MOOT = {
    r"\$(mydomain|myhostname|localhost_name|snmp_\w+|myproduct_name|myversion\w*)": "others use it",
    r"\$(MYHOME|TEMPBASE|db_home|pid_file|lock_file|daemon_chroot_dir|helpers_home)|%ENV": (
        "amavisd's own folders; ours are below `state`"
    ),
    r"\$(min_servers|min_spare_servers|max_spare_servers|max_requests|listen_queue_size|smtpd_timeout"
    r"|smtp_connection_cache\w+|smtpd_greeting_banner|smtpd_quit_banner|smtpd_recipient_limit|unix_socket_mode"
    r"|enforce_smtpd_message_size_limit_64kb_min)|@smtpd_discard_ehlo_keywords|%smtp(d)?_tls_\w+"
    r"|\$(tls_security_level\w*|smtpd_tls_\w+|auth_\w+|amavis_auth_\w+)|@auth_mech_avail": "no daemon here",
    r"\$(log_level|logfile|LOGFILE|do_syslog|DO_SYSLOG|syslog_\w+|SYSLOG_LEVEL|logline_maxlen|log_\w*templ"
    r"|enable_log_capture_dump|nanny_details_level)|@debug_\w+": "there is one line of log for each mail",
    r"\$(enable_db|enable_zmq|enable_global_cache|timestamp_fmt_mysql|mail_id_size_bits|mail_digest_algorithm"
    r"|mail_part_digest_algorithm|virus_check_\w+_ttl|spam_check_\w+_ttl)|@zmq_sockets|@storage_redis_dsn": (
        "the cache is ours: [cache]"
    ),
    r"\$(file|gzip|gunzip|bzip2|bunzip2|lzop|unlzop|rpm2cpio|cabextract|uncompress|unfreeze|arc|unarj|unrar|zoo|lha"
    r"|pax|cpio|ar|ripole|tnef|unstuff|sevenzip|altermime)|@(decoders|keep_decoded_original_maps"
    r"|map_full_type_to_short_type_maps|additional_perl_modules)|\$(keep_decoded_original_re"
    r"|map_full_type_to_short_type_re)": "decoders are found by themselves: `amavis-pipe formats`",
    r"\$first_infected_stops_scan": "all scanners are always asked",
    r"\$virus_scanners_failure_is_fatal": "a scanner that fails always keeps the mail",
    r"\$(quarantine_subdir_levels|mailfrom_to_quarantine|sql_quarantine_chunksize_max)"
    r"|%local_delivery_aliases": "the quarantine is ours: [quarantine]",
    r"\$(hdr_encoding\w*|bdy_encoding|propagate_dsn_if_possible|terminate_dsn_on_notify_success)": (
        "notices are UTF-8, and Postfix's delivery reports are used"
    ),
    r"\$(allow_fixing_\w+|prepend_header_fields_hdridx|remove_existing_spam_headers)|%allowed_added_header_fields"
    r"|%prefer_our_added_header_fields|@remove_existing_spam_headers_maps": _UNCHANGED,
    r"\$(sa_spam_level_char|insert_received_line|allow_preserving_evidence|trim_trailing_space_in_lookup_result_fields"
    r"|replace_existing_extension|sa_num_instances|outbound_disclaimers_only|helpers_home|os_fingerprint_\w+)"
    r"|@(mynetworks|mynetworks_maps|altermime_\w+|anomy_sanitizer_args)": "it changes nothing here by itself",
}
"""Variables that need nothing of ours: why."""

_DEFANG = re.compile(
    r"\$(defang_\w+|allow_disclaimers|enable_anomy_sanitizer)|@disclaimer_options_bysender_maps"
)


def elsewhere(name: str) -> str:
    """What to do about a variable by hand, "" if it is none of these."""
    return _found(ELSEWHERE, name) or (_UNCHANGED if _DEFANG.fullmatch(name) else "")


def moot(name: str) -> str:
    """Why nothing is to be done about a variable, "" if it is none of these."""
    return _found(MOOT, name)


def _found(table: dict[str, str], name: str) -> str:
    return next((why for pattern, why in table.items() if re.fullmatch(pattern, name)), "")
