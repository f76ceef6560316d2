"""What each product says, as its manual or amavisd-new's patterns have it: replayed by stand-ins.

A reply is (exit status, output); p000001 and p000002 are the files that are shown, "one" and "two" the names.
"""

CLAM = (
    (0, "/d/p000001: OK\n/d/p000002: OK\n"),
    (1, "/d/p000001: OK\n/d/p000002: one FOUND\n"),
    (1, "/d/p000001: two FOUND\n/d/p000002: one FOUND\n"),
)
KASPERSKY = (
    "/d/p000001 OK\n/d/p000002 OK\n",
    "/d/p000001 OK\n/d/p000002 INFECTED one\n",
    "/d/p000001 SUSPICION two\n/d/p000002 INFECTED one\n",
)
BITDEFENDER = (
    (0, "/d/p000001  ok\n/d/p000002  ok\n\nInfected files :0\n"),
    (1, "/d/p000001  ok\n/d/p000002  infected: one\n\nInfected files :1\nSuspect files :0\n"),
    (1, "/d/p000001  suspected: two\n/d/p000002  infected: one\n\nInfected files :1\nSuspect files :1\n"),
)

COMMANDS = {
    # name: clean, infected, with two names
    "clamscan": CLAM,
    "avp": (
        (0, "/d/p000001 ok.\n/d/p000002 ok.\n"),
        (4, "/d/p000001 ok.\n/d/p000002 infected: one\n"),
        (4, "/d/p000001 infected: two\n/d/p000002 infected: one\n"),
    ),
    "avpdc": (
        (0, "/d/p000001 ok\n"),
        (4, "/d/p000002 infected: one\n"),
        (3, "/d/p000001 infected: two\r\n/d/p000002 infected: one\r\n"),
    ),
    "antivir": (
        (0, "  /d/p000001\n  /d/p000002\n"),
        (1, "  /d/p000002\n  ALERT: [one virus] /d/p000002 <<< Contains signature\n"),
        (1, "  ALERT: [two virus] /d/p000001 <<<\n  ALERT: [one virus] /d/p000002 <<<\n"),
    ),
    "csav": (
        (50, "/d/p000001\n"),
        (51, "/d/p000002  Infection: one\n"),
        (52, "/d/p000001  Infection: two\n/d/p000002  Infection: one\n"),
    ),
    "cscmdline": (
        (0, "Files Scanned: 2\nFiles Infected:   0\n"),
        (0, "Infected /d/p000002\nVirus Name: one\nFiles Infected:   1\n"),
        (0, "Infected /d/p000001\nVirus Name: two\nInfected /d/p000002\nInfo: one\nFiles Infected:   2\n"),
    ),
    "drweb": (
        (0, "/d/p000001 - Ok\n"),
        (1, "/d/p000002 infected with one\n"),
        (33, "/d/p000001 infected by virus two\n/d/p000002 infected with one\n"),
    ),
    "f-prot": (
        (0, "No viruses or suspicious files/boot sectors were found.\n"),
        (3, "/d/p000002  Infection: one\n"),
        (6, "/d/p000001  contains two\n/d/p000002  Infection: one\n"),
    ),
    "fsav": (
        (0, "2 files scanned\n"),
        (3, "/d/p000002: Infected: one\n"),
        (8, "/d/p000001: Riskware: two\n/d/p000002: Infected: one\n"),
    ),
    "inocucmd": (
        (0, "Total Files Scanned: 2\n"),
        (100, "File /d/p000002 was infected by virus one\n"),
        (100, "File /d/p000001 was infected by virus two\nFile /d/p000002 was infected by virus one\n"),
    ),
    "mks32": (
        (0, "/d/p000001 ok\n"),
        (1, "/d/p000002 -- one\n"),
        (2, "/d/p000001 -- two\n/d/p000002 --\tone\n"),
    ),
    "nod32": (
        (0, 'object="file", name="/d/p000001", virus="", action=""\n'),
        (1, 'object="file", name="/d/p000002", virus="one", action=""\n'),
        (
            10,
            'object="file", name="/d/p000001", virus="two", action=""\n'
            'object="file", name="/d/p000002", virus="one", action=""\n',
        ),
    ),
    "nvcc": (
        (0, "2 files scanned\n"),
        (1, "Possible virus in '/d/p000002' -> 'one'\n"),
        (14, "virus in '/d/p000001' -> 'two'\nVirus in '/d/p000002' -> 'one'\n"),
    ),
    "pavcl": (
        (0, "Number of files infected . . . : 0\n"),
        (0, "/d/p000002\nFound virus :one\nNumber of files infected . . . : 1\n"),
        (0, "Found virus :two\nFound virus :one\nNumber of files infected . . . : 2\n"),
    ),
    "ravav": (
        (1, "2 files scanned\n"),
        (2, "/d/p000002 Infected: one\n"),
        (3, "/d/p000001 Infected: two\n/d/p000002 Infected: one\n"),
    ),
    "uvscan": (
        (0, "Total files: 2\n"),
        (13, "/d/p000002\n\tFound the one virus !!!\n"),
        (13, "/d/p000001\n\tFound virus or variant two !!!\n/d/p000002\n\tFound the one trojan !!!\n"),
    ),
    "vbuster": (
        (0, "2 files scanned\n"),
        (1, "/d/p000002: 'one' - Virus\n"),
        (3, "/d/p000001: Virus found = two;\n/d/p000002: Virus found = one;\n"),
    ),
    "sweep": (
        (0, "No viruses were discovered.\n"),
        (3, ">>> Virus 'one' found in file /d/p000002\n"),
        (
            3,
            ">>> Virus fragment 'two' found in file /d/p000001\n>>> Virus 'one' found in file /d/p000002\n",
        ),
    ),
    "vascan": (
        (0, "ok\n"),
        (1, "/d/p000002\n  virus found: one ... (skipped)\n"),
        (2, "  iworm found: two ... (skipped)\n  virus found: one ... (skipped)\n"),
    ),
    "vfind": (
        (0, "##==> 2 files\n"),
        (23, "##==>>>> VIRUS ID: CVDL one\n"),
        (23, "##==>>>> VIRUS ID: CVDL two\n##==>>>> VIRUS ID: CVDL one\n"),
    ),
    "vscan": (
        (0, "2 files have been scanned.\n"),
        (1, "*** Found virus one in file /d/p000002\n"),
        (2, "*** Found virus two in file /d/p000001\n*** Found virus one in file /d/p000002\n"),
    ),
    "clamdscan": CLAM,
    "kavscanner": tuple(zip((0, 20, 21), KASPERSKY, strict=True)),
    "aveclient": tuple(zip((0, 4, 4), KASPERSKY, strict=True)),
    "esets_cli": (
        (0, 'name="/d/p000001", action="accepted"\n'),
        (2, 'object="/d/p000002": action="cleaned"\nname="/d/p000002": virus="one"\n'),
        (3, 'name="/d/p000001", virus="two"\nname="/d/p000002", virus="one"\n'),
    ),
    "bdscan": BITDEFENDER,
    "bdc": BITDEFENDER,
    "avast": (
        (0, "/d/p000001\t[OK]\n/d/p000002\t[OK]\n"),
        (1, "/d/p000001\t[OK]\n/d/p000002\tone\n"),
        (1, "/d/p000001\ttwo\n/d/p000002\tone\n"),
    ),
    "avastcmd": (
        (0, "/d/p000001\t[OK]\n"),
        (1, "/d/p000002\tinfected by: one\n"),
        (1, "/d/p000001\tinfected by: two\n/d/p000002\tinfected by: one\n"),
    ),
    "fpscan": (
        (0, "Scanning: -\n"),
        (1, "[Found virus] <one (exact)>\t/d/p000002\n"),
        (9, "[Found security risk] <two>\t/d/p000001\n[Found virus] <one (exact)>\t/d/p000002\n"),
    ),
    "savsecls": (
        (0, "Clean\n"),
        (2, "Infected\n/d/p000002\nVirus Name: one\n"),
        (2, "Infected\nVirus Name: two\nVirus Name: one\n"),
    ),
    "etrust": (
        (0, "Total Files Scanned: 2\n"),
        (101, "File /d/p000002 is infected by virus: one\n"),
        (101, "File /d/p000001 is infected by virus: two\nFile /d/p000002 is infected by virus: one\n"),
    ),
    "mksscan": ((0, ""), (1, "VIR one /d/p000002\n"), (2, "VIR two /d/p000001\nVIR one /d/p000002\n")),
    "ikarus": (
        (0, "2 files scanned\n"),
        (40, "/d/p000002 - Signature one found\n"),
        (40, "/d/p000001 - Signature two found\n/d/p000002 - Signature one found\n"),
    ),
    "arcavir": (
        (0, ""),
        (1, "/d/p000002 VIR: one\n"),
        (2, "/d/p000001 WIR: two\n/d/p000002 VIR: one\n"),
    ),
}

LINES = {
    # name: greeting, clean, infected with "one"
    "sophie": (b"", b"0\n", b"1:one\n"),
    "trophie": (b"", b"0\n", b"1:one\n"),
    "nod32ss": (b"200 NOD32SS\r\n", b"200 File OK\r\n", b"201 one\r\n"),
    "avast-daemon": (
        b"220 VPS\r\n",
        b"210 SCAN DATA\r\n/d/p000001\t[+]\r\n200 SCAN OK\r\n",
        b"210 SCAN DATA\r\n/d/p000002|>a\t[+]\r\n/d/p000002|>b\t[L]\tone\r\n200 SCAN OK\r\n",
    ),
    "fpscand": (b"", b"0 <clean> /d/p000001\n", b"1 <infected: one> /d/p000002\n"),
    "avg": (b"220 AVG\r\n", b"200 ok\r\n", b"403 File 'p': one\r\n"),
    "oav": (b"", b"OK\n", b"FOUND: one\n"),
}
