import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.junit.runner.Description;
import org.junit.runner.JUnitCore;
import org.junit.runner.notification.Failure;
import org.junit.runner.notification.RunListener;

/**
 * Runs the tests of MariaDB's Connector/J, one line for each.
 *
 * <p>Suite FOLDER [CLASS...]: the folder of the compiled classes; without a class all but those that need servers of Aurora,
 * Galera or several hosts, or gigabytes.
 */
public class Suite {
  private static final String BESIDES = ".*(Aurora|Galera|Replication|LoadBalance|Sequential|OldFailover|AllowMasterDown|Gigantic).*";

  public static void main(String[] arguments) throws Exception {
    List<String> names = new ArrayList<>(List.of(arguments).subList(1, arguments.length));
    Path folder = Path.of(arguments[0]);
    if (names.isEmpty()) {
      try (var files = Files.walk(folder)) {
        files.map(file -> folder.relativize(file).toString())
            .filter(name -> name.endsWith("Test.class") && !name.matches(BESIDES))
            .forEach(name -> names.add(name.substring(0, name.length() - 6).replace('/', '.')));
      }
      Collections.sort(names);
    }
    JUnitCore core = new JUnitCore();
    core.addListener(new Lines());
    for (String name : names) {
      core.run(Class.forName(name));
    }
    System.exit(0);
  }

  private static class Lines extends RunListener {
    private final Set<Description> bad = new HashSet<>();

    private static void say(String word, Description test) {
      String method = test.getMethodName() == null ? "class" : test.getMethodName();
      System.out.print("\n" + word + " " + test.getClassName() + "." + method.replace(' ', '_') + "\n");
      System.out.flush();
    }

    @Override
    public void testFailure(Failure failure) {
      bad.add(failure.getDescription());
      say("FAILED", failure.getDescription());
      System.out.println(failure.getTrace());
    }

    @Override
    public void testAssumptionFailure(Failure failure) {
      bad.add(failure.getDescription());
    }

    @Override
    public void testFinished(Description test) {
      if (!bad.contains(test)) {
        say("PASSED", test);
      }
    }
  }
}
