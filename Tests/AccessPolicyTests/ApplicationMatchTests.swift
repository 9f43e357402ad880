import Fuzzing
import Testing

@testable import AccessPolicy

struct ApplicationMatchTests {
    let staff = policy("staff", .allow)
    let open = policy("open", .bypass)

    func id(_ configuration: AccessConfiguration, _ host: String, _ target: String = "/") -> String {
        switch configuration.match(authority: host, target: target) {
        case .application(let application, _): application.id
        case .ambiguous(let ids): ids.joined(separator: "+")
        case .undecidable: "undecidable"
        case .unguarded: "none"
        case nil: "no host"
        }
    }

    @Test(arguments: [
        ("a.site.test", "/", "a"), ("A.SITE.TEST.:443", "/x", "a"), ("a.site.test", "/admin", "a-admin"),
        ("a.site.test", "/admin/x", "a-admin"), ("a.site.test", "/administrator", "a"),
        ("a.site.test", "/admin/deep/x", "a-deep"), ("a.site.test", "/w/1/x", "a-star"), ("b.site.test", "/", "star"),
        ("b.site.test", "/admin", "star-admin"), ("b-dev.site.test", "/admin", "dev"), ("x.b.site.test", "/", "none"),
        ("site.test", "/", "none"), ("part.test", "/public/x", "part"), ("part.test", "/other", "none"),
        ("xn--bcher-kva.site.test", "/", "books"), ("bücher.site.test", "/", "books"), ("a@b", "/", "no host"),
    ])
    func `the most particular domain guards`(host: String, target: String, expected: String) throws {
        let domains = [
            "a": "a.site.test", "a-admin": "a.site.test/admin", "a-deep": "a.site.test/admin/deep",
            "a-star": "a.site.test/w/*", "star": "*.site.test", "star-admin": "*.site.test/admin",
            "dev": "*-dev.site.test", "part": "part.test/public", "books": "bücher.site.test",
        ]
        for order in [domains.sorted { $0.key < $1.key }, domains.sorted { $0.key > $1.key }] {
            let configuration = try AccessConfiguration(
                applications: try order.map { try application($0.key, [$0.value], [staff]) })
            #expect(id(configuration, host, target) == expected)
        }
    }

    func adminInside(_ rootPolicy: Policy) throws -> AccessConfiguration {
        try AccessConfiguration(applications: [
            try application("root", ["app.test"], [rootPolicy]), try application("admin", ["app.test/admin"], [staff]),
            try application("public", ["app.test/public"], [open]),
        ])
    }

    @Test(arguments: [
        "/admin", "/admin/", "//admin", "/./admin", "/x/../admin", "/%61dmin", "/ADMIN", "/Admin/x", "/admin;v=1",
        "/admin;/x", "/%2fadmin", "/\\admin", "/%5cadmin", "/x/..;/admin", "/x%2f..%2fadmin", "/%2561dmin",
        "/admin%3fx", "/admin%23", "/admin.", "/admin%20/x", "/public/../admin", "/public/..%2fadmin",
        "/public/%2e%2e/admin", "/public/..\\admin", "/public/%252e%252e/admin", "/admin/../public", "/admin/..",
        "/admin/%2e%2e/public", "/admin/..;/public", "/admin//../../public/x", "/x//..//admin", "/admin?a=/../public",
    ])
    func `every spelling of a guarded path is guarded, where the rest is open`(target: String) throws {
        #expect(id(try adminInside(open), "app.test", target) == "admin")
    }

    @Test(arguments: [
        ("/", "root"), ("/x//y", "root"), ("/x/../y", "root"), ("/administrator", "root"), ("/public", "public"),
        ("/public/", "public"), ("/public//x", "public"), ("/public/a/../b", "public"), ("/public/x%2Fy", "public"),
        ("/public/x;v=1", "public"), ("/%70ublic", "public"), ("/public/../x", "root"), ("/x/../public", "root"),
        ("/PUBLIC", "root"), ("//public", "root"), ("/public;x", "root"), ("/admin//x", "admin"),
        ("/admin/..%2fz", "admin+root"), ("/x/../admin", "admin+root"), ("//admin", "admin+root"),
        ("/ADMIN", "admin+root"), ("/admin/../x", "admin+root"), ("/%zz", "undecidable"), ("*", "undecidable"),
    ])
    func `a spelling that could be of two guarded applications is of none`(target: String, expected: String) throws {
        #expect(id(try adminInside(staff), "app.test", target) == expected)
    }

    @Test func `what is closed in one reading is not opened by another`() throws {
        let configuration = try AccessConfiguration(applications: [
            try application("public", ["app.test/public"], [open]), try application("team", ["app.test/team"], [staff]),
        ])
        #expect(id(configuration, "app.test", "/secret") == "none")
        for target in ["/secret/../public", "/secret/../team"] {
            guard case .ambiguous = configuration.match(authority: "app.test", target: target) else {
                Issue.record("\(target) was let through")
                continue
            }
        }
    }

    @Test func `on a host of one application no path is looked at`() throws {
        let configuration = try AccessConfiguration(applications: [try application("a", ["app.test"], [staff])])
        for target in ["*", "/%zz", "/%00", "/" + String(repeating: "..%2f;", count: 5_000)] {
            #expect(id(configuration, "app.test", target) == "a")
        }
    }

    @Test func `a place belongs to one application`() throws {
        for (first, second) in [
            ("app.test", "APP.test./"), ("app.test/a", "app.test/a/"), ("app.test/a", "app.test/A"),
            ("app.test/a", "app.test/%61"), ("bücher.test", "xn--bcher-kva.test"),
        ] {
            let text = problem {
                try AccessConfiguration(applications: [
                    try application("one", [first], [staff]), try application("two", [second], [staff]),
                ])
            }
            #expect(text.contains("already guarded by the application \"one\""), "\(second): \(text)")
        }
    }

    /// Spells a path anew, in a way that some origin reads as the same.
    func respelled(_ path: String, using generator: inout SeededGenerator) -> String {
        var text = ""
        for byte in path.utf8 {
            let character = String(UnicodeScalar(byte))
            let hex = String(byte, radix: 16)
            if byte == slash {
                let spellings = [
                    "/", "/", "//", "/./", "/x/../", "/%2e/", "%2f", "%2F", "\\", "%5c", "/x/..;/", "%252f",
                    "/x/%2e%2E/", "/y/..//",
                ]
                text += spellings.randomElement(using: &generator) ?? "/"
            } else {
                let spellings = [character, character, character, "%" + hex, "%25" + hex, character.uppercased()]
                text += spellings.randomElement(using: &generator) ?? character
            }
        }
        if !text.hasPrefix("/") { text = "/" + text }
        return text + (["", "/", ";v=1", "?q", "%3fq", "/.", "."].randomElement(using: &generator) ?? "")
    }

    @Test func `no random spelling of a guarded path reaches a more open application`() throws {
        let overOpen = try adminInside(open)
        let overGuarded = try adminInside(staff)
        var generator = SeededGenerator(seed: 42)
        var hits = 0
        for _ in 0..<400 {
            let target = respelled("/admin/users", using: &generator)
            let found = id(overOpen, "app.test", target)
            #expect(found == "admin" || found == "undecidable", "\(target)")
            if found == "admin" { hits += 1 }
            #expect(["admin", "admin+root", "undecidable"].contains(id(overGuarded, "app.test", target)), "\(target)")
        }
        #expect(hits > 300)
    }
}
