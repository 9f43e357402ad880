package import Foundation
import TunnelConfig

extension DataDirectory {
    /// What `init` is told.
    package struct Plan: Sendable {
        package var zone: String
        package var team = "access"
        package var tunnelListen = EdgeSettings.defaultTunnelListen
        package var httpsListen = EdgeSettings.defaultHTTPSListen
        /// The user's own files instead of ones signed by our authority.
        package var tunnelFiles: EdgeSettings.Files?
        package var visitorFiles: EdgeSettings.Files?
        /// Hostnames for the visitor certificate besides those that follow from zone and team.
        package var visitorNames: [String] = []

        package init(zone: String) {
            self.zone = zone
        }
    }

    /// Makes a new edge in a directory that is empty or not there. On failure everything is as it was before.
    ///
    /// - Throws: `StoreError` `.directoryUsed` when there is something in the directory.
    package static func initialize(at path: String, plan: Plan, now: Date = Date()) async throws -> DataDirectory {
        let root = absolute(path)
        let zone = try Account.zone(plan.zone)
        let team = try checkedTeam(plan.team)
        let tunnelFiles = try plan.tunnelFiles.map {
            try own($0, purpose: "tunnel", requiredName: ServerCertificate.tunnelName, now: now)
        }
        let visitorFiles = try plan.visitorFiles.map {
            try own($0, purpose: "visitor", requiredName: nil, now: now)
        }
        var construction = Construction(root: root)
        try construction.begin()
        do {
            let years: (Double) -> Date = { now.addingTimeInterval($0 * 365.25 * 86_400) }
            let authority = try CertificateAuthority(
                name: "cloudflared-edge \(zone)", notBefore: now, notAfter: years(20))
            try construction.add(.authority, try authority.certificatePEM, mode: 0o644)
            try construction.add(.authorityKey, authority.keyPEM)
            if tunnelFiles == nil {
                let issued = try authority.issue(names: tunnelNames, notAfter: years(10))
                try construction.add(.tunnelCertificate, issued.certificatePEM, mode: 0o644)
                try construction.add(.tunnelKey, issued.keyPEM)
            }
            if visitorFiles == nil {
                let issued = try authority.issue(
                    names: visitorNames(zone: zone, team: team, extra: plan.visitorNames),
                    addresses: visitorAddresses(EdgeSettings.address(of: plan.httpsListen)), notAfter: years(10))
                try construction.add(.visitorCertificate, issued.certificatePEM, mode: 0o644)
                try construction.add(.visitorKey, issued.keyPEM)
            }
            let token = randomHex(bytes: 20)
            let account = Account(
                id: randomHex(bytes: 16), zoneID: randomHex(bytes: 16), zone: zone, team: team,
                tokenHash: Account.hash(token: token.utf8), createdAt: now)
            let certificate = OriginCertificate(
                zoneID: account.zoneID, accountID: account.id, apiToken: APIToken(token))
            try construction.add(.accountCertificate, certificate.pem)
            try construction.add(.database, "")
            let store = try SQLiteStore(path: construction.path(of: .database))
            try await store.create(account)
            try store.close()
            let settings = EdgeSettings(
                zone: zone, team: team, tunnelListen: plan.tunnelListen, httpsListen: plan.httpsListen,
                tunnelFiles: tunnelFiles ?? files(.tunnelCertificate, .tunnelKey),
                visitorFiles: visitorFiles ?? files(.visitorCertificate, .visitorKey))
            try construction.add(.settings, settings.text())
            return try open(at: root, now: now)
        } catch {
            construction.undo()
            throw error
        }
    }

    /// What connectors ask for: over HTTP/2, over QUIC, and in their prechecks.
    static let tunnelNames = ["h2.cftunnel.com", "quic.cftunnel.com", "probe.cftunnel.com"]

    static func visitorNames(zone: String, team: String, extra: [String]) -> [String] {
        var names = [zone, "*.\(zone)", "api.\(zone)", "\(team).\(zone)", "localhost"]
        if zone == "localhost" {
            // OpenSSL does not take a wildcard with a single label behind it, so the usual names stand by themselves.
            names += ["rdp", "ssh", "smb", "web", "www", "app", "desktop", "hello", "bastion"].map { "\($0).localhost" }
        } else if zone.hasSuffix(".localhost") {
            names.append("*.localhost")
        }
        var seen: Set<String> = []
        return (names + extra.map { $0.lowercased() }).filter { seen.insert($0).inserted }
    }

    /// Loopback, and where else the listener for visitors is reached.
    static func visitorAddresses(_ reached: [String]) -> [String] {
        var seen: Set<[UInt8]> = []
        return (["127.0.0.1", "::1"] + reached).filter { address in
            guard let bytes = AddressBytes.parse(address) else { return false }
            return seen.insert(bytes).inserted
        }
    }

    /// Signs a certificate for what this edge itself answers to: the names of its zone, and the addresses it is reached
    /// at, which are known when it runs.
    ///
    /// - Throws: `StoreError` when the authority's files cannot be read.
    package func issueVisitorCertificate(addresses: [String], now: Date = Date()) throws -> CertificateAuthority.Issued
    {
        // Whoever calls the team by an official name looks for the store at the official one.
        let official = settings.teamDomain.map { [$0, "login.cloudflareaccess.org"] } ?? []
        return try authority().issue(
            names: Self.visitorNames(zone: settings.zone, team: settings.team, extra: official),
            addresses: Self.visitorAddresses(addresses), notAfter: now.addingTimeInterval(10 * 365.25 * 86_400))
    }

    private static func checkedTeam(_ text: String) throws -> String {
        let team = text.lowercased()
        let allowed = team.utf8.allSatisfy {
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
                || $0 == UInt8(ascii: "-")
        }
        guard allowed, (1...63).contains(team.utf8.count), !team.hasPrefix("-"), !team.hasSuffix("-"), team != "api"
        else {
            throw StoreError(.invalid, "\"\(text)\" cannot be a team: use one label of letters, digits and -, not api")
        }
        return team
    }

    /// Checks the user's own files; they stay where they are.
    private static func own(
        _ files: EdgeSettings.Files, purpose: String, requiredName: String?, now: Date
    ) throws -> EdgeSettings.Files {
        let checked = try ServerCertificate.check(
            certificatePath: absolute(files.certificate), keyPath: absolute(files.key), purpose: purpose,
            requiredName: requiredName, now: now)
        return EdgeSettings.Files(certificate: checked.certificatePath, key: checked.keyPath)
    }

    private static func files(_ certificate: File, _ key: File) -> EdgeSettings.Files {
        EdgeSettings.Files(certificate: certificate.rawValue, key: key.rawValue)
    }

    package static func randomHex(bytes count: Int) -> String {
        var generator = SystemRandomNumberGenerator()
        return (0..<count).map { _ in
            let byte = UInt8.random(in: .min ... .max, using: &generator)
            return (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }.joined()
    }
}

/// A data directory in the making: remembers what it made, to take it away again.
private struct Construction {
    let root: String
    private var madeDirectory = false
    private var formerMode: mode_t?
    private var madeFiles: [String] = []

    init(root: String) {
        self.root = root
    }

    func path(of file: DataDirectory.File) -> String { DataDirectory.join(root, file.rawValue) }

    mutating func begin() throws {
        if mkdir(root, 0o700) == 0 {
            madeDirectory = true
            return
        }
        guard errno == EEXIST else { throw PrivateFile.failure("cannot create the directory \(root)") }
        let entries: [String]
        do {
            entries = try FileManager.default.contentsOfDirectory(atPath: root)
        } catch {
            throw StoreError(.unavailable, "\(root) is not a directory, or cannot be read; choose another one")
        }
        // A fresh file system has a lost+found, and is not used for that.
        guard entries.allSatisfy({ $0 == "lost+found" }) else {
            let isEdge = entries.contains(DataDirectory.File.settings.rawValue)
            throw StoreError(
                .directoryUsed,
                isEdge
                    ? "\(root) holds an edge already; nothing was changed. Start it with "
                        + "`cloudflared-edge run --data-dir \(root)`, or choose another directory"
                    : "\(root) is not empty; nothing was changed. Choose an empty or a new directory")
        }
        let attributes = try? FileManager.default.attributesOfItem(atPath: root)
        guard let mode = attributes?[.posixPermissions] as? Int, chmod(root, 0o700) == 0 else {
            throw PrivateFile.failure("cannot set the mode of \(root)")
        }
        formerMode = mode_t(mode & 0o7777)
    }

    mutating func add(_ file: DataDirectory.File, _ contents: String, mode: mode_t = 0o600) throws {
        try PrivateFile.create(path(of: file), contents, mode: mode)
        madeFiles.append(path(of: file))
    }

    func undo() {
        for file in madeFiles.reversed() {
            // SQLite's side files go with the database.
            for suffix in ["", "-wal", "-shm"] { unlink(file + suffix) }
        }
        if madeDirectory { rmdir(root) }
        if let formerMode { chmod(root, formerMode) }
    }
}
