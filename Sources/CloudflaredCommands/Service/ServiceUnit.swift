import Foundation

/// The unit that runs a connector: the same text as systemd/cloudflared.service and cloudflared@.service, for hosts
/// without the package.
enum ServiceUnit {
    /// How a unit of this program begins.
    static let mark = "# Written by cloudflared service install"

    /// Whose unit a text is.
    enum Owner: Equatable {
        case this
        /// The official client's, with the token that it runs with if it can be told.
        case official(token: OfficialToken)
        case somebody
    }

    enum OfficialToken: Equatable {
        /// In the unit itself, as older releases had it.
        case inline(String)
        case file(String)
        /// It runs by configuration file.
        case none
    }

    /// - Parameters:
    ///   - program: the full path of the program, checked by ``ServiceProgram``.
    ///   - isTemplate: whether it is for `cloudflared@NAME`.
    static func text(program: String, isTemplate: Bool) -> String {
        mark + "\n\n" + definition(program: program, isTemplate: isTemplate)
    }

    static func owner(of text: String) -> Owner {
        if text.hasPrefix(mark) { return .this }
        let lines = text.split(whereSeparator: \.isNewline).map(String.init)
        guard let start = lines.last(where: { $0.hasPrefix("ExecStart=") }) else { return .somebody }
        let words = start.dropFirst("ExecStart=".count).split(separator: " ").map(String.init)
        guard let program = words.first, (program as NSString).lastPathComponent.hasPrefix("cloudflared"),
            words.contains("tunnel")
        else { return .somebody }
        return .official(token: officialToken(in: words))
    }

    private static func officialToken(in words: [String]) -> OfficialToken {
        for (index, word) in words.enumerated() {
            for (flag, kind) in [("--token-file", OfficialToken.file), ("--token", OfficialToken.inline)] {
                if word == flag, index + 1 < words.count { return kind(words[index + 1]) }
                if word.hasPrefix(flag + "=") { return kind(String(word.dropFirst(flag.count + 1))) }
            }
        }
        return .none
    }

    /// From `[Unit]` on.
    static func definition(program: String, isTemplate: Bool) -> String {
        let tunnel = isTemplate ? "the tunnel %I" : "a tunnel"
        let environment = isTemplate ? "/etc/cloudflared/%i/environment" : "/etc/default/cloudflared"
        let below = isTemplate ? "%i/" : ""
        let configuration = isTemplate ? " --config /etc/cloudflared/%i/config.yml" : ""
        // Not below that of the first service: systemd gives the whole of it to another account.
        let state = isTemplate ? "@%i" : ""
        return """
            [Unit]
            Description=Connector that serves private services through \(tunnel)
            Documentation=man:cloudflared(1)
            Wants=network-online.target
            After=network-online.target nss-lookup.target
            # A network that is away must never end in a service that systemd has given up.
            StartLimitIntervalSec=0

            [Service]
            Type=notify
            NotifyAccess=main
            EnvironmentFile=-\(environment)
            LoadCredential=token:/etc/cloudflared/\(below)token
            ExecStart=\(program) --no-autoupdate\(configuration) tunnel run --token-file ${CREDENTIALS_DIRECTORY}/token
            # systemd 252 has no Type=notify-reload.
            ExecReload=/bin/sh -c "kill -HUP ${MAINPID}"
            # The program asks for more time as long as it tries.
            TimeoutStartSec=90
            # Longer than the grace period of 30 s in which open streams may end; set both when one grows.
            TimeoutStopSec=45
            KillMode=mixed
            Restart=on-failure
            RestartSec=5
            # Wrong command line or configuration: the next try would end the same way.
            RestartPreventExitStatus=2 78
            WatchdogSec=30
            LimitNOFILE=1048576
            LogsDirectory=cloudflared\(state)
            StateDirectory=cloudflared\(state)

            \(sandbox)
            """
    }

    /// What `systemd-analyze security` is asked about in the tests.
    private static let sandbox = """
        # No account, no capability, no way to write but its own directories. `systemd-analyze security` says how far that goes.
        DynamicUser=yes
        UMask=0077
        CapabilityBoundingSet=
        AmbientCapabilities=
        NoNewPrivileges=yes
        ProtectSystem=strict
        ProtectHome=yes
        PrivateTmp=yes
        PrivateDevices=yes
        PrivateUsers=yes
        PrivateIPC=yes
        PrivateMounts=yes
        ProtectClock=yes
        ProtectHostname=yes
        ProtectKernelLogs=yes
        ProtectKernelModules=yes
        ProtectKernelTunables=yes
        ProtectControlGroups=yes
        ProtectProc=invisible
        ProcSubset=pid
        RemoveIPC=yes
        # Netlink tells of new addresses and routes.
        RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
        RestrictNamespaces=yes
        RestrictRealtime=yes
        RestrictSUIDSGID=yes
        LockPersonality=yes
        MemoryDenyWriteExecute=yes
        SystemCallArchitectures=native
        SystemCallFilter=@system-service
        SystemCallFilter=~@privileged @resources @obsolete
        # Dispatch raises the priority of its threads, which only root may, and writes a line for each refusal: told that it did.
        SystemCallFilter=~setpriority:0
        SystemCallErrorNumber=EPERM

        [Install]
        WantedBy=multi-user.target

        """
}
